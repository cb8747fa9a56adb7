//! What the overview was asked for: filter, order and page. All of it is in the URL, so that what
//! one person sees another can be sent.

use super::finding::{Finding, Findings};
use crate::views::AccountView;

/// How many accounts a page has.
pub(super) const PAGE: usize = 100;

/// The longest text to look for. Names have 50 characters at most.
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
    pub fn slug(self) -> &'static str {
        match self {
            Self::All => "",
            Self::With(finding) => finding.slug(),
            Self::WithoutAny => "fine",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::All => "All accounts",
            Self::With(finding) => finding.label(),
            Self::WithoutAny => "No finding",
        }
    }

    /// Every filter, in the order of a list to choose from.
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

/// What the accounts are put in order by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// The worst first.
    #[default]
    State,
    Name,
    Id,
    /// The youngest key first.
    Since,
    /// The latest use first.
    Used,
    /// The oldest evidence first.
    Evidence,
}

impl Sort {
    pub const ALL: [Self; 6] = [
        Self::State,
        Self::Name,
        Self::Id,
        Self::Since,
        Self::Used,
        Self::Evidence,
    ];

    pub fn slug(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Id => "id",
            Self::Since => "since",
            Self::Used => "used",
            Self::Evidence => "evidence",
        }
    }

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
}

/// What the overview was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Query {
    /// The text to look for, as it was written.
    pub(super) text: String,
    pub(super) filter: Filter,
    pub(super) sort: Sort,
    /// Whether the order is turned round.
    pub(super) reversed: bool,
    /// Counted from 1.
    pub(super) page: usize,
}

impl Query {
    /// Reads the query of a URL. What is not understood is left out: a link from elsewhere must
    /// show the accounts, not an error.
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
                    if let Some(sort) = Sort::ALL.into_iter().find(|sort| sort.slug() == value) {
                        parsed.sort = sort;
                    }
                }
                "order" => parsed.reversed = value == "reverse",
                "page" => parsed.page = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        parsed
    }

    /// The link to what is asked for here, relative to the overview.
    pub(super) fn link(&self) -> String {
        let mut link = form_urlencoded::Serializer::for_suffix("./?".to_owned(), 3);
        for (key, value) in [
            ("q", self.text.as_str()),
            ("state", self.filter.slug()),
            (
                "sort",
                if self.sort == Sort::State {
                    ""
                } else {
                    self.sort.slug()
                },
            ),
            ("order", if self.reversed { "reverse" } else { "" }),
        ] {
            if !value.is_empty() {
                link.append_pair(key, value);
            }
        }
        if self.page > 1 {
            link.append_pair("page", &self.page.to_string());
        }
        let link = link.finish();
        link.strip_suffix('?').map(str::to_owned).unwrap_or(link)
    }

    /// The same accounts under another filter.
    pub(super) fn with_filter(&self, filter: Filter) -> Self {
        Self {
            filter,
            page: 1,
            ..self.clone()
        }
    }

    /// The same accounts in another order; in the opposite one where it is in this already.
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

    /// Which accounts have the text: all of its words in the id, the name or a label.
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
    fn a_link_says_again_what_was_asked_for() {
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
    fn what_is_not_understood_is_left_out() {
        let query = Query::parse("state=nonsense&sort=&order=x&page=0&page=-1&q=%FF&else&%%%");
        assert_eq!((query.filter, query.sort), (Filter::All, Sort::State));
        assert_eq!((query.reversed, query.page), (false, 1));
        assert_eq!(query.text, "\u{fffd}");
    }

    #[test]
    fn the_same_order_again_is_the_opposite_one() {
        let query = Query::parse("page=4").with_sort(Sort::Name);
        assert_eq!(query.link(), "./?sort=name");
        let query = query.with_sort(Sort::Name);
        assert_eq!(query.link(), "./?sort=name&order=reverse");
        assert_eq!(query.with_sort(Sort::Used).link(), "./?sort=used");
    }
}
