//! The first start, rule 10, and a change of the sources in use.

use root_posture::Topic;

use crate::notation::{check, counted, sources};

#[test]
fn a_first_start_exports_nothing_before_every_source_answered_or_failed() {
    check(
        Topic::Keys,
        sources("SR"),
        &[
            (
                "a report in time explains the key",
                "S1 = ? | P = ? | @119 R1/0 = 0",
            ),
            (
                "no report in time: the key counts as active",
                "S1 P = ? | @119 . = ? | @120 . = 1 | R1/0 = 0",
            ),
            (
                "two minutes from the first attempt, not from the last",
                "@0 S1 P = ? | @60 P = ? | @119 P = ? | @120 P = 1",
            ),
            ("a none waits for no report", "P = ? | S0 = 0"),
            ("the report was not tried yet", "S0 = ? | S0 = ? | P = 0"),
            ("the summary fails", "R1/1 = ? | Sx = 1"),
            (
                "a summary that changes its mind",
                "S1 P = ? | S0 = 1 | S0 = 0",
            ),
        ],
    );
    check(
        Topic::Keys,
        sources("SK"),
        &[
            ("the list explains the summary", "S1 = ? | K1/0 = 0"),
            ("the list fails", "S1 = ? | Kx = 1"),
            ("no source answers", "Sx = ? | Kx = ? | S0 = 0"),
        ],
    );
    check(
        Topic::Keys,
        sources("SKR"),
        &[
            (
                "the list speaks, so no report is waited for",
                "S1 P = ? | K1/1 = 1",
            ),
            ("the list fails as well", "S1 P Kx = ? | @120 . = 1"),
        ],
    );
}

#[test]
fn a_source_that_is_no_longer_in_use_counts_as_failed() {
    check(
        Topic::Keys,
        sources("SKR"),
        &[
            (
                "at a first start nothing waits for it",
                "S1 K1/0 = ? | use:SK = 0",
            ),
            ("both live ones", "R1/1 = ? | use:R = 1"),
            ("the report in the making", "S1 Kx P = ? | @60 use:SK = 1"),
        ],
    );
    counted(&[
        (
            "it loses its claim to two answers of the other",
            "S1 K1/1 = 1 | use:S = 1 | S0 = 1 | S0 = 0",
        ),
        (
            "it holds no report any more",
            "K1/0 = 0 | K1/0 = 0 | @82 R1/1 = 0 | @90 use:SR = 1",
        ),
        (
            "nothing waits for one that comes back",
            "S0 = 0 | use:S = 0 | use:SKR = 0 | K1/1 = 1",
        ),
        (
            "what it says last is shown until it expires",
            "K0/0 = 0 | use:R = 0 | @30m . = ?",
        ),
    ]);
}
