//! The files that make up the command line: what may be said, and what each command does.

pub mod args;
