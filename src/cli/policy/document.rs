//! Policy documents: from statements, and split where one is too long. The parts grant the same as
//! the whole.
//!
//! Source: IAM User Guide, "IAM and AWS STS quotas": white space does not count.

use serde::Serialize;
use serde_json::{Value, json};

/// The maximum length of a managed policy; an inline policy of a role may have 10,240 characters.
const LENGTH: usize = 6_144;

/// The maximum number of managed policies of a role, unless its quota was raised.
pub(super) const POLICIES: usize = 10;

/// The lists in a statement: each member of one grants by itself.
const LISTS: [&str; 2] = ["/Resource", "/Condition/StringEquals/aws:ResourceAccount"];

/// A policy of these statements.
pub(super) fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// A statement that allows actions on resources.
pub(super) fn allow(sid: &str, action: impl Serialize, resource: impl Serialize) -> Value {
    json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource })
}

/// The statement with a condition of the kind `StringEquals`.
pub(super) fn only_if(mut statement: Value, key: &str, values: impl Serialize) -> Value {
    statement["Condition"] = json!({ "StringEquals": { key: values } });
    statement
}

/// Whether IAM accepts the length of the policy.
pub(super) fn fits(document: &Value) -> bool {
    // The text has no white space.
    document.to_string().len() <= LENGTH
}

/// The policy in as few parts as possible, so that each fits.
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

/// The statement in the fewest pieces of equal length that fit, with space for the ends of their ids.
fn cut(statement: &Value) -> Vec<Value> {
    const SID_ENDS: usize = 16;
    let unsplit = || vec![statement.clone()];
    let mut lists = LISTS.iter();
    let list = lists.find_map(|list| Some((list, statement.pointer(list)?.as_array()?)));
    let Some((list, members)) = list else {
        return unsplit();
    };
    let piece = |members: &[Value]| {
        let mut piece = statement.clone();
        if let Some(list) = piece.pointer_mut(list) {
            *list = json!(members);
        }
        piece
    };
    let is_short = |piece: &Value| {
        document(std::slice::from_ref(piece)).to_string().len() + SID_ENDS <= LENGTH
    };
    let pieces = |count| -> Vec<Value> {
        let chunks = members.chunks(members.len().div_ceil(count));
        chunks.map(piece).collect()
    };
    (1..=members.len())
        .map(pieces)
        .find(|pieces| pieces.iter().all(is_short))
        .unwrap_or_else(unsplit)
}
