//! The query of the overview: filter, order and page. All of it is in the URL, so that people can
//! send each other links.

use strum::{IntoStaticStr, VariantArray};

use root_posture::AccessKeyId;

use crate::activity::SignIn;
use crate::advice::{Finding, Findings};
use crate::views::AccountView;

/// Accounts per page.
pub(super) const PAGE: usize = 100;

/// Maximum length of the text to search for. Names have 50 characters at most.
const LONGEST_TEXT: usize = 200;

/// Which accounts are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Filter {
    #[default]
    All,
    With(Finding),
    /// Those with a key that the configuration accepts.
    Accepted,
    WithoutAny,
}

impl Filter {
    /// Its name in a URL.
    pub fn slug(self) -> &'static str {
        self.names().0
    }

    /// Its name for people.
    pub fn label(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::All => ("", "All accounts"),
            Self::With(finding) => (finding.slug(), finding.label()),
            Self::Accepted => ("accepted", "Accepted key"),
            Self::WithoutAny => ("fine", "No finding"),
        }
    }

    /// All filters, in the order of the form.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        [Self::All]
            .into_iter()
            .chain(Finding::ALL.map(Self::With))
            .chain([Self::Accepted, Self::WithoutAny])
    }

    pub fn lets_through(self, findings: Findings, is_accepted: bool) -> bool {
        match self {
            Self::All => true,
            Self::With(finding) => findings.has(finding),
            Self::Accepted => is_accepted,
            Self::WithoutAny => findings.is_empty(),
        }
    }
}

/// The order of the accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Sort {
    /// The worst first.
    #[default]
    State,
    Name,
    Id,
    /// The newest key first.
    Since,
    /// The latest use first.
    Used,
    /// The oldest evidence first.
    Evidence,
}

impl Sort {
    /// Its name in a URL.
    pub fn slug(self) -> &'static str {
        self.into()
    }

    /// Its name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::State => "Worst first",
            Self::Name => "Name",
            Self::Id => "Account id",
            Self::Since => "Newest key first",
            Self::Used => "Last used first",
            Self::Evidence => "Oldest evidence first",
        }
    }

    /// Whether the order rises, from A to Z or from old to new, unless it is reversed.
    pub fn rises(self) -> bool {
        matches!(self, Self::Name | Self::Id | Self::Evidence)
    }
}

/// Whether the browser reloads the page by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, VariantArray)]
pub(super) enum Reload {
    #[default]
    On,
    Off,
}

impl Reload {
    /// Its name in a URL.
    pub fn slug(self) -> &'static str {
        match self {
            Self::On => "",
            Self::Off => "off",
        }
    }

    /// What a link offers instead.
    pub fn other(self) -> Self {
        match self {
            Self::On => Self::Off,
            Self::Off => Self::On,
        }
    }
}

/// A query of the overview.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Query {
    /// The text to search for.
    pub(super) text: String,
    pub(super) filter: Filter,
    pub(super) sort: Sort,
    /// Whether the order is reversed.
    pub(super) reversed: bool,
    /// Counted from 1.
    pub(super) page: usize,
    pub(super) reload: Reload,
}

/// Why a query is refused: one that is not understood must not show every account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error("unknown parameter {0:?}; known are q, state, sort, order, page and reload")]
    Parameter(String),
    #[error("{0} is there twice; known is one value of each")]
    Twice(String),
    #[error("{parameter}={value:?} is not known; known are {known}")]
    Value {
        parameter: &'static str,
        value: String,
        known: String,
    },
}

impl Query {
    /// Reads the query of a URL.
    ///
    /// # Errors
    ///
    /// A parameter or a value that is not known.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut parsed = Self::default();
        let mut seen = Vec::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim();
            if seen.contains(&key) {
                return Err(QueryError::Twice(key.into_owned()));
            }
            seen.push(key.clone());
            match &*key {
                "q" => parsed.text = value.chars().take(LONGEST_TEXT).collect(),
                "state" => parsed.filter = one_of("state", value, Filter::all(), Filter::slug)?,
                "sort" if value.is_empty() => {}
                "sort" => {
                    let all = Sort::VARIANTS.iter().copied();
                    parsed.sort = one_of("sort", value, all, Sort::slug)?;
                }
                "order" => {
                    let slug = |reversed| if reversed { "reverse" } else { "" };
                    parsed.reversed = one_of("order", value, [false, true].into_iter(), slug)?;
                }
                "page" => {
                    let number = value.parse().ok().filter(|page| *page > 0);
                    parsed.page = number.ok_or_else(|| QueryError::Value {
                        parameter: "page",
                        value: value.to_owned(),
                        known: "whole numbers from 1".to_owned(),
                    })?;
                }
                "reload" => {
                    let all = Reload::VARIANTS.iter().copied();
                    parsed.reload = one_of("reload", value, all, Reload::slug)?;
                }
                key => return Err(QueryError::Parameter(key.to_owned())),
            }
        }
        Ok(parsed)
    }

    /// The link to this query, relative to the overview.
    pub(super) fn link(&self) -> String {
        let mut link = form_urlencoded::Serializer::for_suffix("./?".to_owned(), 3);
        let page = self.page.to_string();
        for (key, value, is_default) in [
            ("q", self.text.as_str(), self.text.is_empty()),
            ("state", self.filter.slug(), self.filter == Filter::All),
            ("sort", self.sort.slug(), self.sort == Sort::State),
            ("order", "reverse", !self.reversed),
            ("page", &page, self.page < 2),
            ("reload", self.reload.slug(), self.reload == Reload::On),
        ] {
            if !is_default {
                link.append_pair(key, value);
            }
        }
        let link = link.finish();
        link.strip_suffix('?').map(str::to_owned).unwrap_or(link)
    }

    /// Whether it shows other accounts than all, or in another order.
    pub(super) fn is_filtered(&self) -> bool {
        let Self {
            text, filter, sort, ..
        } = self;
        !text.is_empty() || *filter != Filter::All || *sort != Sort::State
    }

    /// The same query with another filter.
    pub(super) fn with_filter(&self, filter: Filter) -> Self {
        Self {
            filter,
            page: 1,
            ..self.clone()
        }
    }

    /// The same query in another order; if it has this order already, in the reversed one.
    pub(super) fn with_sort(&self, sort: Sort) -> Self {
        Self {
            sort,
            reversed: self.sort == sort && !self.reversed,
            page: 1,
            ..self.clone()
        }
    }

    /// The same query, reloaded or not.
    pub(super) fn with_reload(&self, reload: Reload) -> Self {
        Self {
            reload,
            ..self.clone()
        }
    }

    pub(super) fn with_page(&self, page: usize) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }

    /// Matches the accounts that the text names: by a label as its chip shows it (`team: payments`), or
    /// by words that are each in the id, with or without dashes, in the name or in a label, or that are an
    /// access key's id or its end.
    pub(super) fn matcher(&self) -> impl Fn(&AccountView) -> bool + use<> {
        let text = self.text.to_lowercase();
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        move |view| {
            words.is_empty() || {
                let labels = view.account.labels.iter();
                let chips: Vec<_> = labels.map(|label| chip(label).to_lowercase()).collect();
                let names_a_label = |name: &String| {
                    let rest = text.strip_prefix(&name.to_lowercase());
                    rest.is_some_and(|rest| rest.starts_with(": "))
                };
                if view.account.labels.keys().any(names_a_label) {
                    return chips.contains(&text);
                }
                let mut texts = chips;
                texts.push(view.account.name.to_lowercase());
                texts.push(view.account.id.to_string());
                let is_part = |word: &str| texts.iter().any(|text| text.contains(word));
                words
                    .iter()
                    .all(|word| is_part(word) || is_part(&undashed(word)) || has_key(view, word))
            }
        }
    }

    /// The text where it has the form of an access key's id.
    ///
    /// Source: IAM API Reference, `AccessKey`: at least 16 characters.
    pub(super) fn access_key(&self) -> Option<AccessKeyId> {
        let text = self.text.to_uppercase();
        let is_long = text.len() >= 16 && (text.starts_with("AKIA") || text.starts_with("ASIA"));
        text.parse().ok().filter(|_| is_long)
    }
}

impl Default for Query {
    fn default() -> Self {
        Self {
            text: String::new(),
            filter: Filter::All,
            sort: Sort::State,
            reversed: false,
            page: 1,
            reload: Reload::On,
        }
    }
}

/// The value that has this name in a URL.
fn one_of<T: Copy>(
    parameter: &'static str,
    value: &str,
    mut all: impl Iterator<Item = T> + Clone,
    slug: fn(T) -> &'static str,
) -> Result<T, QueryError> {
    let known = all.clone();
    all.find(|one| slug(*one) == value).ok_or_else(|| {
        let known: Vec<_> = known.map(slug).filter(|slug| !slug.is_empty()).collect();
        QueryError::Value {
            parameter,
            value: value.to_owned(),
            known: known.join(", "),
        }
    })
}

/// A label as the pages show it.
pub(super) fn chip((name, value): (&String, &String)) -> String {
    format!("{name}: {value}")
}

/// The query of a link to the accounts with a label.
pub(super) fn chip_link(label: (&String, &String)) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("q", &chip(label)).finish()
}

/// An account id without its dashes; any other word as it is.
fn undashed(word: &str) -> String {
    let digits: String = word.chars().filter(|c| *c != '-').collect();
    let is_id = digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { digits } else { word.to_owned() }
}

/// How many characters of an access key's id at least name it: so many are at its end on the console.
const TAIL: usize = 4;

/// Whether one of the account's root access keys, of now or of its activities, has this id, or an id that
/// begins or ends so. `word` is in lower case.
fn has_key(view: &AccountView, word: &str) -> bool {
    let word = word.trim_start_matches('…').to_uppercase();
    let listed = view.root_keys().filter_map(|key| key.id);
    let excepted = view.account.exceptions.iter().map(|it| it.key.as_str());
    let acted = view.activities.recent().flat_map(|activity| {
        let with = match &activity.by {
            SignIn::AccessKey(id) => Some(id.as_str()),
            _ => None,
        };
        activity.key.as_deref().into_iter().chain(with)
    });
    let begins = |id: &str| word.len() > TAIL && id.starts_with(&word);
    let ends = |id: &str| word.len() >= TAIL && id.ends_with(&word);
    let mut ids = listed.chain(excepted).chain(acted);
    ids.any(|id| begins(id) || ends(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Query {
        Query::parse(query).unwrap()
    }

    #[test]
    fn a_link_contains_the_query() {
        for link in [
            "./",
            "./?q=a%26b+%22%3C&state=no-mfa&sort=used&order=reverse&page=3&reload=off",
            "./?state=fine",
            "./?sort=name",
        ] {
            let query = read(link.split_once('?').map_or("", |(_, query)| query));
            assert_eq!(query.link(), link);
        }
    }

    #[test]
    fn a_form_that_was_not_filled_in_shows_everything() {
        assert_eq!(read("q=&state=&sort=&order="), Query::default());
        assert_eq!(read("q=%FF+").text, "\u{fffd}");
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_says_what_is() {
        let error = |query| Query::parse(query).unwrap_err().to_string();
        assert!(
            error("stat=active").starts_with("unknown parameter \"stat\"; known are q, state,")
        );
        assert!(error("state=nonsense").starts_with("state=\"nonsense\" is not known; known are "));
        for slug in Filter::all().map(Filter::slug) {
            assert!(error("state=nonsense").contains(slug), "{slug}");
        }
        for query in [
            "sort=x",
            "order=x",
            "page=0",
            "page=-1",
            "page=x",
            "reload=no",
            "else",
        ] {
            error(query);
        }
    }

    #[test]
    fn choosing_the_same_order_again_reverses_it() {
        let query = read("page=4").with_sort(Sort::Name);
        assert_eq!(query.link(), "./?sort=name");
        let query = query.with_sort(Sort::Name);
        assert_eq!(query.link(), "./?sort=name&order=reverse");
        assert_eq!(query.with_sort(Sort::Used).link(), "./?sort=used");
    }
}
