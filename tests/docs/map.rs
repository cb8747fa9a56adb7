//! `ARCHITECTURE.md` says of the modules what is so: each has its row, and the arrows point one way.

use std::collections::{BTreeMap, BTreeSet};

use crate::markdown::{Page, expect_none, page, rows, spans};
use crate::source;

fn map() -> Page {
    page("ARCHITECTURE.md")
}

/// The rows of the table of modules: each room with what it uses.
fn told() -> BTreeMap<String, BTreeSet<String>> {
    rows(map().section("Modules"))
        .map(|cells| {
            let room = spans(cells[0]).remove(0);
            (room, spans(cells[2]).into_iter().collect())
        })
        .collect()
}

#[test]
fn the_table_of_modules_says_what_each_uses() {
    let mut told = told();
    let mut found = source::uses();
    // The two that are no rooms of the library: what they may use is told, and is little.
    told.retain(|room, _| !matches!(room.as_str(), "main" | "lib"));
    let mut trouble = Vec::new();
    for (room, uses) in &mut found {
        let list = |uses: &BTreeSet<String>| {
            let uses: Vec<String> = uses.iter().map(|room| format!("`{room}`")).collect();
            uses.join(", ")
        };
        match told.get(room) {
            None => trouble.push(format!(
                "ARCHITECTURE.md, Modules: add a row for `{room}`, which uses {}",
                list(uses)
            )),
            Some(told) if told != uses => trouble.push(format!(
                "ARCHITECTURE.md, Modules: `{room}` uses {}; the table says {}. Correct the one \
                 that is wrong: a new arrow needs a reason",
                list(uses),
                list(told)
            )),
            Some(_) => {}
        }
    }
    for room in told.keys().filter(|room| !found.contains_key(*room)) {
        trouble.push(format!(
            "ARCHITECTURE.md, Modules: there is no `{room}`; delete its row"
        ));
    }
    expect_none(&trouble);
}

#[test]
fn no_module_uses_one_that_uses_it_back() {
    let mut uses = source::uses();
    // Take away, again and again, the rooms that use none of those left: a circle stays.
    while let Some(room) = uses
        .iter()
        .find(|(_, used)| !used.iter().any(|room| uses.contains_key(room)))
        .map(|(room, _)| room.clone())
    {
        uses.remove(&room);
    }
    assert!(
        uses.is_empty(),
        "these use each other in a circle: {uses:#?}"
    );
}
