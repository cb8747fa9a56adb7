//! `ARCHITECTURE.md` is a map of the code as it is: each file has its line, each room its row.

use std::collections::{BTreeMap, BTreeSet};

use crate::markdown::{Page, expect_none, files, page, root, rows, spans};
use crate::source;

fn map() -> Page {
    page("ARCHITECTURE.md")
}

/// The files and folders of the code map.
fn entries(map: &Page) -> Vec<String> {
    let entries: Vec<String> = map
        .section("Code map")
        .lines()
        .filter_map(|line| line.strip_prefix("- `"))
        .filter_map(|line| Some(line.split_once('`')?.0.to_owned()))
        .collect();
    assert!(entries.len() > 80, "the code map was not found");
    entries
}

#[test]
fn every_file_of_the_code_has_its_line_in_the_map() {
    let entries = entries(&map());
    let covered = |file: &String| {
        entries.iter().any(|entry| match entry.strip_suffix('/') {
            Some(_) => file.starts_with(entry),
            None => file == entry,
        })
    };
    let missing: Vec<String> = files("src")
        .into_iter()
        .filter(|file| !covered(file))
        .map(|file| {
            let folder = file.rsplit_once('/').unwrap().0;
            format!(
                "ARCHITECTURE.md, code map, under `{folder}/`: add \"- `{file}`: what it is for\""
            )
        })
        .collect();
    expect_none(&missing);
}

#[test]
fn every_line_of_the_map_has_its_file() {
    let mut seen = BTreeSet::new();
    let mut trouble = Vec::new();
    for entry in entries(&map()) {
        if !root().join(&entry).exists() {
            trouble.push(format!(
                "ARCHITECTURE.md, code map: there is no {entry}; delete its line"
            ));
        }
        if !seen.insert(entry.clone()) {
            trouble.push(format!(
                "ARCHITECTURE.md, code map: {entry} stands there twice"
            ));
        }
    }
    expect_none(&trouble);
}

/// The rows of the table of rooms: each room with what it uses.
fn told() -> BTreeMap<String, BTreeSet<String>> {
    rows(map().section("The rooms"))
        .map(|cells| {
            let room = spans(cells[0]).remove(0);
            (room, spans(cells[2]).into_iter().collect())
        })
        .collect()
}

#[test]
fn the_table_of_rooms_tells_what_each_uses() {
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
                "ARCHITECTURE.md, The rooms: add a row for `{room}`, which uses {}",
                list(uses)
            )),
            Some(told) if told != uses => trouble.push(format!(
                "ARCHITECTURE.md, The rooms: `{room}` uses {}; the table says {}. Correct the one \
                 that is wrong: a new arrow needs a reason",
                list(uses),
                list(told)
            )),
            Some(_) => {}
        }
    }
    for room in told.keys().filter(|room| !found.contains_key(*room)) {
        trouble.push(format!(
            "ARCHITECTURE.md, The rooms: there is no `{room}`; delete its row"
        ));
    }
    expect_none(&trouble);
}

#[test]
fn no_room_uses_one_that_uses_it_back() {
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
