//! The query of the overview: filter, order and page. All of it is in the URL, so that people can
//! send each other links.

use strum::{IntoStaticStr, VariantArray};

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
            Self::WithoutAny => ("fine", "No finding"),
        }
    }

    /// All filters, in the order of the form.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::All]
            .into_iter()
            .chain(Finding::ALL.map(Self::With))
            .chain([Self::WithoutAny])
    }

    pub fn lets_through(self, findings: Findings) -> bool {
        match self {
            Self::All => true,
            Self::With(finding) => findings.has(finding),
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

/// A query of the overview.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Query {
    /// The text to search for.
    pub(super) text: String,
    pub(super) filter: Filter,
    pub(super) sort: Sort,
    /// Whether the order is reversed.
    pub(super) reversed: bool,
    /// Counted from 1.
    pub(super) page: usize,
}

impl Query {
    /// Reads the query of a URL. Unknown or wrong parts are ignored: a link must show the accounts, not
    /// an error.
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self {
            page: 1,
            ..Self::default()
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => parsed.text = value.trim().chars().take(LONGEST_TEXT).collect(),
                "state" => {
                    if let Some(filter) = Filter::all().find(|filter| filter.slug() == value) {
                        parsed.filter = filter;
                    }
                }
                "sort" => {
                    if let Some(sort) = Sort::VARIANTS.iter().find(|sort| sort.slug() == value) {
                        parsed.sort = *sort;
                    }
                }
                "order" => parsed.reversed = value == "reverse",
                "page" => parsed.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        parsed
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
        ] {
            if !is_default {
                link.append_pair(key, value);
            }
        }
        let link = link.finish();
        link.strip_suffix('?').map(str::to_owned).unwrap_or(link)
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

    pub(super) fn with_page(&self, page: usize) -> Self {
        Self {
            page,
            ..self.clone()
        }
    }

    /// Matches accounts with all words of the text in the id, the name or a label.
    pub(super) fn matcher(&self) -> impl Fn(&AccountView) -> bool + use<> {
        let words: Vec<String> = self
            .text
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        move |view| {
            let account = &*view.account;
            words.is_empty() || {
                let mut text = format!("{}\n{}", account.id, account.name);
                for value in account.labels.values() {
                    text.push('\n');
                    text.push_str(value);
                }
                let text = text.to_lowercase();
                words.iter().all(|word| text.contains(word.as_str()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_contains_the_query() {
        for link in [
            "./",
            "./?q=a%26b+%22%3C&state=no-mfa&sort=used&order=reverse&page=3",
            "./?state=fine",
            "./?sort=name",
        ] {
            let query = Query::parse(link.split_once('?').map_or("", |(_, query)| query));
            assert_eq!(query.link(), link);
        }
    }

    #[test]
    fn unknown_and_wrong_parts_are_ignored() {
        let query = Query::parse("state=nonsense&sort=&order=x&page=0&page=-1&q=%FF&else&%%%");
        assert_eq!((query.filter, query.sort), (Filter::All, Sort::State));
        assert_eq!((query.reversed, query.page), (false, 1));
        assert_eq!(query.text, "\u{fffd}");
    }

    #[test]
    fn choosing_the_same_order_again_reverses_it() {
        let query = Query::parse("page=4").with_sort(Sort::Name);
        assert_eq!(query.link(), "./?sort=name");
        let query = query.with_sort(Sort::Name);
        assert_eq!(query.link(), "./?sort=name&order=reverse");
        assert_eq!(query.with_sort(Sort::Used).link(), "./?sort=used");
    }
}
