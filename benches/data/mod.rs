//! Test data of the benchmarks: a credential report of any length.

use std::fmt::Write;

/// AWS's columns in AWS's order.
const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
    access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
    access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// A credential report with the root row and this number of IAM users, as AWS writes it.
pub fn report(users: usize) -> String {
    let mut text = HEADER.to_owned();
    text.push_str(
        "\n<root_account>,arn:aws:iam::111122223333:root,2019-03-04T10:00:00Z,true,\
         2026-01-02T03:04:05Z,2019-03-04T10:00:00Z,not_supported,true,false,N/A,N/A,N/A,N/A,false,\
         N/A,N/A,N/A,N/A,false,N/A,false,N/A",
    );
    for user in 0..users {
        let (day, month) = (user % 28 + 1, user % 12 + 1);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\nfirst.last{user},arn:aws:iam::111122223333:user/people/first.last{user},\
             2021-{month:02}-{day:02}T09:30:00Z,true,2026-10-{day:02}T08:15:42Z,\
             2026-{month:02}-{day:02}T09:30:00Z,N/A,{},true,2025-{month:02}-{day:02}T09:30:00Z,\
             2026-11-{day:02}T11:12:13Z,us-east-1,s3,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
            user % 3 == 0,
        );
    }
    text
}
