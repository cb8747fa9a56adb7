//! The id that AWS gives a request.

use std::fmt;

use sha2::{Digest, Sha256};

/// The id of a request, as the header `x-amzn-RequestId` of its response and CloudTrail's `requestID`
/// have it. Only its hash is kept: ids have no fixed form, and thousands are waited for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// The id with that text.
    #[must_use]
    pub fn of(text: impl AsRef<[u8]>) -> Self {
        let hash = Sha256::digest(text);
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(id)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({:02x?})", &self.0[..4])
    }
}
