//! The pages `/runbooks` and `/runbooks/{name}`: what each alert means and what to do, readable without
//! any other site.
//!
//! The runbooks are part of the program. HTML in them would be shown as text.

use std::io;

use askama::Template;
use bytes::Bytes;
use exporter_toolkit::hyper::{Response, StatusCode};
use pulldown_cmark::{CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};

use super::{html, problem};
use crate::advice::runbooks::{self, Runbook};

/// The list of the runbooks.
pub(super) fn list() -> io::Result<Response<Bytes>> {
    let page = List {
        runbooks: runbooks::ALL,
    };
    html::response(StatusCode::OK, &page)
}

/// One runbook; status 404 where there is none of that name.
pub(super) fn response(name: &str) -> io::Result<Response<Bytes>> {
    match runbooks::find(name) {
        Some(runbook) => html::response(StatusCode::OK, &Page::of(runbook)),
        None => problem::no_runbook(),
    }
}

#[derive(Template)]
#[template(path = "runbooks.html")]
struct List {
    runbooks: &'static [Runbook],
}

#[derive(Template)]
#[template(path = "runbook.html")]
struct Page {
    name: &'static str,
    /// The runbook as HTML, escaped.
    content: String,
}

impl Page {
    fn of(runbook: &Runbook) -> Self {
        Self {
            name: runbook.name,
            content: content(runbook.text),
        }
    }
}

/// Markdown as HTML: headings can be linked to, other runbooks are linked to as pages here, and what is
/// wider than a phone scrolls by itself.
fn content(markdown: &str) -> String {
    let mut events: Vec<_> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let titles = titles(&events);
    let mut titles = titles.into_iter();
    for event in &mut events {
        let own = |html: &'static str| Event::Html(CowStr::Borrowed(html));
        *event = match std::mem::replace(event, Event::SoftBreak) {
            // For those who write the runbook.
            Event::Html(text) if text.starts_with("<!--") => Event::Text("".into()),
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(Tag::Heading { level, .. }) => {
                let id = titles.next().unwrap_or_default();
                Event::Html(format!("<{level} id=\"{id}\">").into())
            }
            Event::End(TagEnd::Heading(level)) => Event::Html(format!("</{level}>\n").into()),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented)) => {
                own("<pre tabindex=\"0\"><code>")
            }
            Event::End(TagEnd::CodeBlock) => own("</code></pre>\n"),
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => Event::Start(Tag::Link {
                link_type,
                dest_url: target(&dest_url).into(),
                title,
                id,
            }),
            other => other,
        };
    }
    let mut content = String::new();
    pulldown_cmark::html::push_html(&mut content, events.into_iter());
    content
        .replace("<table>", "<div class=\"wide\" tabindex=\"0\"><table>")
        .replace("</table>", "</table></div>")
}

/// The ids of the headings, as GitHub makes them: `How to know that it worked` is
/// `how-to-know-that-it-worked`.
fn titles(events: &[Event<'_>]) -> Vec<String> {
    let mut titles = Vec::new();
    let mut open: Option<String> = None;
    for event in events {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { .. }), _) => open = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), _) => titles.extend(open.take()),
            (Event::Text(text) | Event::Code(text), Some(title)) => *title += text,
            _ => {}
        }
    }
    let id = |title: String| {
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    titles.into_iter().map(id).collect()
}

/// Where a link leads: one to another runbook's file leads to its page.
fn target(link: &str) -> String {
    let (file, fragment) = link.split_at(link.find('#').unwrap_or(link.len()));
    match file.strip_suffix(".md").and_then(runbooks::find) {
        Some(runbook) => format!("{}{fragment}", runbook.name),
        None => link.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_html_that_can_be_linked_to_and_html_is_text() {
        let html = content(
            "# A title\n\nSome <b>html</b> & `code`.\n\n```sh\naws <x> & y\n```\n\n## What to do, now\n\n\
             See [it](AWSRootAccessKeyActive.md#mitigation) or [that](https://example.com/a.md).\n\n\
             | a | b |\n| - | - |\n| c | d |\n\n<script>alert(1)</script>\n",
        );
        for part in [
            "<h1 id=\"a-title\">A title</h1>",
            "Some &lt;b&gt;html&lt;/b&gt; &amp; <code>code</code>.",
            "<pre tabindex=\"0\"><code>aws &lt;x&gt; &amp; y\n</code></pre>",
            "<h2 id=\"what-to-do-now\">What to do, now</h2>",
            "<a href=\"AWSRootAccessKeyActive#mitigation\">it</a>",
            "<a href=\"https://example.com/a.md\">that</a>",
            "<div class=\"wide\" tabindex=\"0\"><table>",
            "&lt;script&gt;",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn every_runbook_is_shown_and_its_links_lead_to_headings() {
        for runbook in runbooks::ALL {
            let html = content(runbook.text);
            assert!(html.contains("<h2 id=\"mitigation\">Mitigation</h2>"));
            for link in html.split("<a href=\"").skip(1) {
                let link = link.split('"').next().unwrap();
                if link.starts_with("https://") {
                    continue;
                }
                let (name, heading) = link.split_once('#').unwrap_or((link, "meaning"));
                let other = runbooks::find(name).unwrap_or_else(|| panic!("{link}"));
                let other = content(other.text);
                assert!(other.contains(&format!(" id=\"{heading}\"")), "{link}");
            }
        }
    }
}
