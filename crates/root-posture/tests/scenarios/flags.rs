//! MFA and the password.

use root_posture::Topic;

use crate::notation::{check, sources};

#[test]
fn mfa_follows_the_same_rules() {
    check(
        Topic::MfaOff,
        sources(""),
        &[
            (
                "the report says off after the summary failed",
                "Son = on | Son = on | Sx = on | @142 Roff~2 = off | @1000 . = off | @90000 . = off",
            ),
            (
                "one answer says off, two say on",
                "Son = on | Koff = off | Kon = off | Kon = on",
            ),
            (
                "two sources that disagree",
                "Son Koff = off | Son Kon = off | Son Kon = on",
            ),
            (
                "the list's answers do not speak for the summary's",
                "Son Kon = on | Soff Kon = off | Soff Kon = off",
            ),
            ("on expires", "Kon = on | @1799 Kx = on | @1800 Kx = ?"),
            ("off does not", "Koff = off | @300h Kx = off"),
            (
                "held, then refuted",
                "Kon = on | Kon = on | @61 Roff = on | @120 Kon = on | @180 Kon = on | Kx = on",
            ),
        ],
    );
}

#[test]
fn the_password_follows_the_same_rules_and_never_expires() {
    check(
        Topic::Password,
        sources(""),
        &[
            ("a password", "Syes = yes | @300h Sx = yes"),
            ("none", "Kno = no | @300h Kx = no"),
            (
                "one answer says that there is one, two that there is none",
                "Kno = no | Kyes = yes | Kno = yes | Kno = no",
            ),
            ("a report clearly later", "Kyes = yes | @16m Rno = no"),
        ],
    );
}
