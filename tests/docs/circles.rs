//! Imports form no circle, neither between the modules of a crate nor between the files of a folder.
//! Between crates Cargo refuses circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::markdown::expect_none;
use crate::source;

/// The neighbours in its folder that each file or subfolder uses. The folder's `mod.rs` is one of them;
/// declaring and re-exporting the others does not count as use.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn imports_form_no_circle() {
    let mut folders: BTreeMap<String, Uses> = BTreeMap::new();
    for module in source::modules() {
        for used in module.uses() {
            let shared = module
                .at
                .iter()
                .zip(&used)
                .take_while(|(one, two)| one == two);
            let depth = shared.count();
            let folder = [std::slice::from_ref(&module.root), &module.at[..depth]]
                .concat()
                .join("/");
            let name = |at: &[String]| at.get(depth).map_or("mod.rs", String::as_str).to_owned();
            let uses = folders.entry(folder).or_default();
            uses.entry(name(&used)).or_default();
            uses.entry(name(&module.at))
                .or_default()
                .insert(name(&used));
        }
    }
    assert!(folders.len() > 10, "{folders:?}");
    let circles: Vec<String> = folders
        .into_iter()
        .filter_map(|(folder, uses)| {
            let left = circle(uses);
            (!left.is_empty()).then(|| format!("{folder}: these files import each other: {left:?}"))
        })
        .collect();
    expect_none(&circles);
}

/// The modules on a circle or between two circles: those that use none of the others, or that none of
/// them uses, are removed until there is no such module.
fn circle(mut left: Uses) -> Uses {
    loop {
        let used: BTreeSet<String> = left.values().flatten().cloned().collect();
        let before = left.len();
        left.retain(|name, its| !its.is_empty() && used.contains(name));
        let names: BTreeSet<String> = left.keys().cloned().collect();
        for its in left.values_mut() {
            its.retain(|name| names.contains(name));
        }
        if left.len() == before {
            return left;
        }
    }
}

#[test]
fn a_circle_is_found_and_a_chain_is_not() {
    let uses = |pairs: &[(&str, &[&str])]| -> Uses {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        pairs
            .iter()
            .map(|(name, its)| ((*name).to_owned(), set(its)))
            .collect()
    };
    let chain = uses(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert!(circle(chain).is_empty());
    let circled = uses(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &["a"])]);
    assert_eq!(circle(circled), uses(&[("b", &["c"]), ("c", &["b"])]));
}
