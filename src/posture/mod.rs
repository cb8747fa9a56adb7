//! Evidence in, figures out: the rules.
