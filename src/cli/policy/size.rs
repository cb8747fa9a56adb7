//! How long a policy may be, and how one that is longer is split. What is split grants the same.
//!
//! Source: IAM User Guide, "IAM and AWS STS quotas": white space does not count.

use serde_json::{Value, json};

use super::grants::document;

/// The most characters of a managed policy; an inline one of a role may have 10,240.
const MOST: usize = 6_144;

/// How many managed policies a role can have, unless its quota was raised.
pub(super) const POLICIES: usize = 10;

/// Where a statement can have a list: each of its members grants by itself.
const LISTS: [&str; 2] = ["/Resource", "/Condition/StringEquals/aws:ResourceAccount"];

/// Whether IAM takes the policy.
pub(super) fn fits(document: &Value) -> bool {
    // The text has no white space.
    document.to_string().len() <= MOST
}

/// The policy, in as many as it takes for each to fit.
pub(super) fn split(whole: &Value) -> Vec<Value> {
    if fits(whole) {
        return vec![whole.clone()];
    }
    let statements = whole["Statement"].as_array();
    let mut documents = Vec::new();
    let mut open: Vec<Value> = Vec::new();
    for statement in statements.into_iter().flatten() {
        let mut pieces = cut(statement);
        if let [_, _, ..] = pieces[..] {
            for (at, piece) in pieces.iter_mut().enumerate() {
                let sid = piece["Sid"].as_str().unwrap_or_default();
                piece["Sid"] = json!(format!("{sid}Part{}", at + 1));
            }
        }
        for piece in pieces {
            open.push(piece);
            if !fits(&document(&open))
                && let Some(last) = open.pop()
            {
                if !open.is_empty() {
                    documents.push(document(&open));
                }
                open = vec![last];
            }
        }
    }
    documents.push(document(&open));
    documents
}

/// The statement in the fewest pieces of equal length that fit, with room for their names.
fn cut(statement: &Value) -> Vec<Value> {
    const NAME: usize = 16;
    let list = LISTS
        .iter()
        .find(|list| statement.pointer(list).is_some_and(Value::is_array));
    let members = list.and_then(|list| statement.pointer(list)?.as_array());
    let (Some(list), Some(members)) = (list, members) else {
        return vec![statement.clone()];
    };
    let piece = |members: &[Value]| {
        let mut piece = statement.clone();
        if let Some(list) = piece.pointer_mut(list) {
            *list = json!(members);
        }
        piece
    };
    let is_short =
        |piece: &Value| document(std::slice::from_ref(piece)).to_string().len() + NAME <= MOST;
    let mut pieces = vec![statement.clone()];
    for count in 2..=members.len() {
        if pieces.iter().all(is_short) {
            break;
        }
        pieces = members
            .chunks(members.len().div_ceil(count))
            .map(piece)
            .collect();
    }
    pieces
}
