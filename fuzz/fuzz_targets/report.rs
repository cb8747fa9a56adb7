//! Any bytes as a credential report: no panic, and no result that the bytes do not contain.
//!
//! Run it with `make fuzz TARGET=report`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use root_posture::report::{ReportError, UserCounts, parse};
use root_posture::{AccountId, Partition, Timestamp};

fuzz_target!(|content: &[u8]| {
    for partition in [Partition::Aws, Partition::AwsCn] {
        match parse(content, None, partition) {
            Ok(report) => {
                let account = report.account.to_string();
                assert!(
                    content.windows(12).any(|text| text == account.as_bytes()),
                    "the account is not in the report"
                );
                if let Some(root) = &report.root {
                    assert!(content.windows(14).any(|text| text == b"<root_account>"));
                    let keys = root.keys();
                    assert!(keys.active <= keys.present && keys.present <= 2);
                }
                let figures = UserCounts::of(&report.users);
                let keys_of_any_age = figures.keys_older_than(0, Timestamp::from_unix(i64::MAX));
                assert!(keys_of_any_age <= figures.access_keys_active);

                let expected = parse(content, Some(report.account), partition);
                assert_eq!(expected, Ok(report), "the expected account changes the result");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        let other: AccountId = "999999999999".parse().expect("12 digits");
        if let Err(ReportError::AccountMismatch { found, .. }) =
            parse(content, Some(other), partition)
        {
            assert_ne!(found, other);
        }
    }
});
