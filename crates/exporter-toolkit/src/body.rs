//! The body of an answer in the making: plain bytes, or one gzip member that is joined from packed
//! pieces.
//!
//! Packed lines refer to nothing before them, so they can follow any others, and their checksums
//! are combined: what was packed once is neither packed nor read again. No metric is known here.

use std::io::{self, Read as _};

use bytes::Bytes;
use flate2::bufread::DeflateDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    /// Not at all.
    Identity,
    /// As one gzip member.
    Gzip,
}

/// The head of a gzip member without name and time, packed fast on an unknown system (RFC 1952, 2.3).
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// An empty block that is the last one (RFC 1951, 3.2.3).
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Whole lines that were compressed once, for any number of answers.
///
/// A [`Packer`] makes them, and [`MetricsWriter::write_packed`](crate::MetricsWriter::write_packed)
/// writes them.
#[derive(Debug, Default)]
pub struct PackedLines {
    /// Blocks of raw deflate that end at a byte, and none is the last.
    blocks: Box<[u8]>,
    /// Of the plain lines, with their length.
    checksum: Crc,
}

impl PackedLines {
    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.checksum.amount() == 0
    }

    fn unpack(&self, out: &mut Vec<u8>) -> io::Result<()> {
        // Without a last block the decoder must not be asked for more than there is.
        let lines = DeflateDecoder::new(&*self.blocks).take(self.checksum.amount().into());
        io::copy(&mut { lines }, out).map(drop)
    }
}

/// Compresses lines, with the same memory each time.
#[derive(Debug)]
pub struct Packer(Compress);

impl Default for Packer {
    fn default() -> Self {
        Self(Compress::new(Compression::fast(), false))
    }
}

impl Packer {
    /// Compresses some whole lines.
    ///
    /// # Errors
    ///
    /// Those of the compressor, of which none is known.
    pub fn pack(&mut self, lines: &[u8]) -> io::Result<PackedLines> {
        let mut checksum = Crc::new();
        checksum.update(lines);
        let mut blocks = Vec::with_capacity(lines.len() / 8 + 64);
        let mut rest = lines;
        loop {
            let before = self.0.total_in();
            // A full flush ends the block at a byte and forgets what came before.
            self.0
                .compress_vec(rest, &mut blocks, FlushCompress::Full)?;
            let taken = usize::try_from(self.0.total_in() - before).map_err(io::Error::other)?;
            rest = &rest[taken..];
            if blocks.len() < blocks.capacity() {
                break;
            }
            blocks.reserve(blocks.len());
        }
        Ok(PackedLines {
            blocks: blocks.into(),
            checksum,
        })
    }
}

/// A body that grows by whole lines.
pub(crate) enum EncodedBody {
    Identity(Vec<u8>),
    Gzip {
        bytes: Vec<u8>,
        /// Of all plain lines so far, with their length.
        checksum: Crc,
        packer: Box<Packer>,
    },
}

impl EncodedBody {
    /// An empty body. `size` is a guess at its size in bytes at the end.
    pub fn new(encoding: Encoding, size: usize) -> Self {
        let mut bytes = Vec::with_capacity(size + size / 16);
        match encoding {
            Encoding::Identity => Self::Identity(bytes),
            Encoding::Gzip => {
                bytes.extend(HEAD);
                Self::Gzip {
                    bytes,
                    checksum: Crc::new(),
                    packer: Box::default(),
                }
            }
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(plain) => {
                plain.extend_from_slice(bytes);
                Ok(())
            }
            Self::Gzip { packer, .. } => {
                let packed = packer.pack(bytes)?;
                self.write_packed(&packed)
            }
        }
    }

    pub fn write_packed(&mut self, lines: &PackedLines) -> io::Result<()> {
        match self {
            Self::Identity(bytes) => lines.unpack(bytes),
            Self::Gzip {
                bytes, checksum, ..
            } => {
                bytes.extend_from_slice(&lines.blocks);
                checksum.combine(&lines.checksum);
                Ok(())
            }
        }
    }

    pub fn finish(self) -> Bytes {
        match self {
            Self::Identity(bytes) => bytes.into(),
            Self::Gzip {
                mut bytes,
                checksum,
                ..
            } => {
                bytes.extend(LAST_BLOCK);
                bytes.extend(checksum.sum().to_le_bytes());
                bytes.extend(checksum.amount().to_le_bytes());
                bytes.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::bufread::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn gunzip(body: &[u8]) -> String {
        let (mut member, mut text) = (GzDecoder::new(body), String::new());
        member.read_to_string(&mut text).unwrap();
        assert!(member.into_inner().is_empty(), "more than one member");
        text
    }

    /// A piece of text and whether it is packed in advance.
    fn pieces() -> impl Strategy<Value = Vec<(String, bool)>> {
        let line = prop_oneof![
            "[ -~]{0,40}\n",
            Just("aws_root_access_keys_active{account=\"000000000012\"} 0\n".to_owned()),
        ];
        let lines = prop::collection::vec(line, 0..20).prop_map(|lines| lines.concat());
        prop::collection::vec((lines, any::<bool>()), 0..6)
    }

    proptest! {
        // Unoptimized, a case takes some milliseconds.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn packed_and_plain_pieces_give_the_same_text_in_both_encodings(pieces in pieces()) {
            let mut packer = Packer::default();
            let mut bodies = [Encoding::Identity, Encoding::Gzip].map(|it| EncodedBody::new(it, 0));
            for (text, is_packed) in &pieces {
                let packed = packer.pack(text.as_bytes()).unwrap();
                prop_assert_eq!(packed.is_empty(), text.is_empty());
                for body in &mut bodies {
                    if *is_packed {
                        body.write_packed(&packed).unwrap();
                    } else {
                        body.write(text.as_bytes()).unwrap();
                    }
                }
            }
            let expected: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
            let [plain, packed] = bodies.map(EncodedBody::finish);
            prop_assert_eq!(str::from_utf8(&plain).unwrap(), &expected);
            prop_assert_eq!(gunzip(&packed), expected);
        }
    }

    #[test]
    fn packed_lines_can_be_written_more_than_once_and_in_any_order() {
        let mut packer = Packer::default();
        let [one, two] = ["one 1\n", "two 2\n"].map(|text| packer.pack(text.as_bytes()).unwrap());
        let mut body = EncodedBody::new(Encoding::Gzip, 0);
        for lines in [&two, &one, &PackedLines::default(), &two] {
            body.write_packed(lines).unwrap();
        }
        assert_eq!(gunzip(&body.finish()), "two 2\none 1\ntwo 2\n");
    }

    #[test]
    fn lines_that_hardly_compress_are_packed_whole() {
        // Xorshift: its digits have no pattern, so that the first guess at their size is too small.
        let mut state = 1_u64;
        let mut digits = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{state:x}\n")
        };
        let text: String = (0..5_000).map(|_| digits()).collect();
        let mut body = EncodedBody::new(Encoding::Gzip, 0);
        body.write(text.as_bytes()).unwrap();
        let body = body.finish();
        assert!(body.len() > text.len() / 4);
        assert_eq!(gunzip(&body), text);
    }
}
