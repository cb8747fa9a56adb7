//! The runbooks of the repository, as they were when this binary was built: one for each alert.

/// A runbook, in Markdown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runbook {
    /// The name of its alert.
    pub name: &'static str,
    pub text: &'static str,
}

macro_rules! runbooks {
    ($($name:literal,)*) => {
        /// All of them, by name.
        pub(crate) const ALL: &[Runbook] = &[$(Runbook {
            name: $name,
            text: include_str!(concat!("../../deploy/runbooks/", $name, ".md")),
        }),*];
    };
}

runbooks! {
    "AWSAccountPushDown",
    "AWSAccountRefreshFailing",
    "AWSAccountUnreadable",
    "AWSAccountsMissing",
    "AWSCredentialReportStale",
    "AWSIAMUserAccessKeyOld",
    "AWSIAMUserConsoleWithoutMFA",
    "AWSIAMUserCredentialUnused",
    "AWSIAMUserSigningCertificateActive",
    "AWSOrganizationDiscoveryFailing",
    "AWSRootAccessKeyActive",
    "AWSRootAccessKeyCreated",
    "AWSRootAccessKeyPresent",
    "AWSRootAccessKeyUsed",
    "AWSRootActivity",
    "AWSRootConsoleSignIn",
    "AWSRootEvidenceStale",
    "AWSRootExporterDown",
    "AWSRootExporterEventsDown",
    "AWSRootExporterLabelsOverwritten",
    "AWSRootExporterOverloaded",
    "AWSRootExporterReloadFailed",
    "AWSRootExporterStateNotSaved",
    "AWSRootMFADisabled",
    "AWSRootPostureUnknown",
    "AWSRootPushTampered",
    "AWSRootSigningCertificateActive",
}

/// The runbook of an alert, whatever the case of its letters.
pub(crate) fn find(name: &str) -> Option<&'static Runbook> {
    ALL.iter().find(|it| it.name.eq_ignore_ascii_case(name))
}

impl Runbook {
    /// The first sentence of its meaning.
    pub fn meaning(&self) -> &'static str {
        let (_, meaning) = self.text.split_once("## Meaning\n\n").unwrap_or_default();
        let paragraph = meaning.split("\n\n").next().unwrap_or_default();
        match paragraph.find(". ").or(paragraph.find(".\n")) {
            Some(end) => &paragraph[..=end],
            None => paragraph,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn each_runbook_of_the_repository_is_built_in_and_says_what_it_means() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/runbooks");
        let files: BTreeSet<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let names: BTreeSet<_> = ALL.iter().map(|it| format!("{}.md", it.name)).collect();
        assert_eq!(names, files);
        assert!(ALL.is_sorted_by_key(|it| it.name));
        for runbook in ALL {
            let meaning = runbook.meaning();
            assert!(meaning.len() > 20 && meaning.ends_with('.'), "{runbook:?}");
        }
        assert!(find("awsrootaccesskeyactive").is_some());
        assert!(find("AWSRootAccessKey").is_none());
    }
}
