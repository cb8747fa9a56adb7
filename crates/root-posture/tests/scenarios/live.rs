//! Live sources alone: rules 1, 3, 6, 7 and 8.

use crate::notation::counted;

#[test]
fn one_answer_raises_and_two_lower() {
    counted(&[
        (
            "a stale list among others",
            "K1/1 = 1 | K1/1 = 1 | K1/0 = 1 | K1/1 = 1 | K1/0 = 1 | K1/0 = 0",
        ),
        (
            "a deleted key",
            "K1/1 = 1/1 | K1/1 = 1/1 | K0/0 = 1/1 | K0/0 = 0/0",
        ),
        ("of which nothing higher is known", "K0/0 = 0 | S0 = 0"),
        (
            "a failure between the two",
            "K1/1 = 1 | K1/1 = 1 | K0/0 = 1 | Kx = 1 | K0/0 = 0",
        ),
        (
            "two answers closer than half an interval are one",
            "K1/1 = 1 | K1/1 = 1 | @120 K0/0 = 1 | @149 K0/0 = 1 | @150 K0/0 = 0",
        ),
        (
            "two lower answers that differ are not two that agree",
            "K2/2 = 2 | K2/2 = 2 | K1/1 = 2 | K0/0 = 2 | K0/0 = 0",
        ),
        (
            "a key that came and went many times within 15 minutes is gone after two lists",
            "K0/0 = 0 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0 \
             | K1/1 = 1 | K0/0 = 1 | K0/0 = 0",
        ),
        (
            "a silence longer than 17 minutes starts the count again",
            "K1/1 = 1 | K1/1 = 1 | @120 K0/0 = 1 | @1141 K0/0 = 1 | @1201 K0/0 = 0",
        ),
        (
            "a shorter one does not",
            "K1/1 = 1 | K1/1 = 1 | @120 K0/0 = 1 | @1140 K0/0 = 0",
        ),
        (
            "a second key shows at once",
            "K1/0 = 1/0 | K1/0 = 1/0 | K2/1 = 2/1 | K2/2 = 2/2 | K1/1 = 2/2 | K1/1 = 1/1",
        ),
        (
            "more answers in a quarter of an hour than are kept do not make two into three",
            "S1 K1/1 = 1 | S1 K1/0 = 1 | S1 K1/0 = 0 | S0 K0/0 = 0 | S0 K1/0 = 0 | S0 K1/0 = 0 \
             | S0 K0/0 = 0 | S0 K1/1 = 1 | S0 K1/1 = 1 | S0 K0/0 = 1 | S0 K0/0 = 0 | S0 K1/1 = 1 \
             | S0 K0/0 = 1 | S0 K0/0 = 0",
        ),
        (
            "three keys in a list",
            "K3/3 = 2/2 | K3/1 = 2/2 | K3/1 = 2/1",
        ),
        (
            "a summary that counts five",
            "S5 = 2/2 | S0 = 2/2 | S0 = 0/0",
        ),
    ]);
}

#[test]
fn an_answer_requested_before_the_newest_changes_nothing() {
    counted(&[
        (
            "a positive one arrives late",
            "K0/0 = 0 | K0/0 = 0 | K1/1~90 = 0",
        ),
        (
            "two nones arrive late",
            "K1/1 = 1 | K1/1 = 1 | K0/0~90 = 1 | K0/0~100 = 1 | K1/1 = 1",
        ),
        (
            "they confirm nothing either",
            "K1/1 = 1 | @120 K0/0 = 1 | @130 K0/0~70 = 1 | @180 K0/0 = 0",
        ),
        (
            "an answer of before a report's receipt does not refute it",
            "R1/1 = 1 | @60 S0~90 = 1 | @61 S0 = 1 | @121 S0 = 0",
        ),
        (
            "an older report that comes later",
            "R1/0 = 1/0 | R2/2~90 = 1/0 | R0/0 = 0/0",
        ),
        (
            "the same answer and the same report again",
            "K1/1 R0/0 = 1 | @0 K1/1 R0/0 = 1 | K0/0 = 1 | @60 K0/0 = 1 | K0/0 = 0",
        ),
    ]);
}

#[test]
fn a_failing_live_source_loses_its_claim_to_two_answers_of_the_other() {
    counted(&[
        (
            "the list hangs, then fails",
            "S1 K1/1 = 1 | S0 = 1 | @90 Kx = 1 | @120 S0 = 0",
        ),
        (
            "one that hangs delays no rise",
            "S0 K0/0 = 0 | S0 K0/0 = 0 | @120 S1 = 1 | @150 Kx = 1",
        ),
        (
            "the summary lowers",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | @120 S0 = 1 | @150 Kx = 1 | @180 S0 = 0 | @210 Kx = 0",
        ),
        ("the list lowers", "S1 K0/0 = 1 | Sx K0/0 = 1 | Sx K0/0 = 0"),
        (
            "a list that answers keeps its claim",
            "S1 K1/1 = 1 | S0 K1/1 = 1 | S0 K1/1 = 1 | S0 K1/1 = 1",
        ),
        (
            "answers of before the claim do not count",
            "S0 = 0 | S0 = 0 | K1/1 = 1 | Kx = 1 | S0 = 1 | S0 = 0",
        ),
        (
            "a single failure changes nothing",
            "S1 K1/1 = 1 | Kx = 1 | Sx = 1 | Kx = 1 | @9h Kx Sx = 1",
        ),
    ]);
}

#[test]
fn keys_that_only_a_summary_counts_are_lagging_or_new() {
    counted(&[
        (
            "an inactive key is deleted, the summary lags",
            "S1 K1/0 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0",
        ),
        (
            "the summary lags by three polls, and once more later",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0 \
             | S0 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0",
        ),
        (
            "the summary's own none ended it, and no list would show a new key",
            "S1 K1/0 = 0 | S0 K0/0 = 0 | S0 K0/0 = 0 | Kx S1 = 1",
        ),
        (
            "a key that was created after the summary's none",
            "S1 K1/0 = 0 | S1 K1/0 = 0 | S0 K0/0 = 0 | S0 K0/0 = 0 | S1 Kx = 1",
        ),
        (
            "two inactive keys went while the list was down",
            "R2/0 = 0 | S2 = 0 | S1 K0/0 = 0 | S1 K0/0 = 0 | S0 K0/0 = 0 | S0 K0/0 = 0",
        ),
        (
            "the report before explains it",
            "R1/0 = 0 | S1 = 0 | @91 R0/0 = 0 | @120 S1 = 0 | @180 S0 = 0",
        ),
        (
            "a key that nothing explains is active",
            "R0/0 = 0 | S1 = 1 | S1 = 1",
        ),
        ("one list explains it", "R0/0 = 0 | S1 = 1 | S1 K1/0 = 0"),
        (
            "a confirmed none is a baseline of nothing",
            "R1/0 = 0 | S0 = 0 | S0 = 0 | S1 = 1",
        ),
        (
            "a lagging key keeps the status it had, an active one as well",
            "S1 K1/1 = 1 | S1 K1/1 = 1 | S1 K0/0 = 1 | S1 K0/0 = 1 | S0 K0/0 = 1 | S0 K0/0 = 0",
        ),
        (
            "after 15 minutes nothing explains it",
            "S1 K1/0 = 0 | K0/0 = 0 | @901 S1 K0/0 = 1",
        ),
        (
            "which of two keys went is not known",
            "R1/0 = 0 | S1 = 0 | S2 = 2/1 | S1 = 2/1 | S1 = 1/1 | @1h R1/0 = 0",
        ),
    ]);
}
