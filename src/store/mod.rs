//! The current postures, cheap to read whole.
