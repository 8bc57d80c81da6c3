//! Netlink messages of nf_tables, as bytes: headers, attributes, padding.
//!
//! Formats and numbers are the kernel's: `linux/netlink.h`, `linux/netfilter/nfnetlink.h`,
//! `linux/netfilter/nf_tables.h`. Headers are in the machine's byte order, numbers within nf_tables' attributes in the
//! network's.

/// Subsystem of nf_tables in the upper byte of a message's type.
const SUBSYSTEM: u8 = 10;
/// Types of the messages around a transaction.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// Message flags: a request, answered with success or failure, that may create.
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
/// Bit in an attribute's type that says that it holds attributes.
const NESTED: u16 = 0x8000;
/// Family of a message about none in particular.
const FAMILY_NONE: u8 = 0;
/// Messages and attributes begin at multiples of this.
const ALIGNMENT: usize = 4;

/// What a message asks for.
#[derive(Clone, Copy)]
pub(crate) enum Request {
    NewTable,
    DeleteTable,
    NewChain,
    NewRule,
}

impl Request {
    const fn kind(self) -> u8 {
        match self {
            Self::NewTable => 0,
            Self::DeleteTable => 2,
            Self::NewChain => 3,
            Self::NewRule => 6,
        }
    }

    const fn flags(self) -> u16 {
        match self {
            Self::NewTable | Self::NewChain => CREATE,
            Self::NewRule => CREATE | APPEND,
            Self::DeleteTable => 0,
        }
    }
}

/// Whose packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// `NFPROTO_IPV4` and `NFPROTO_IPV6` (`linux/netfilter.h`).
    const fn number(self) -> u8 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }
}

/// Attributes of a message, or of another attribute.
#[derive(Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Adds raw bytes.
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        // Lengths are two bytes; nothing here comes near that.
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        pad(&mut self.0);
        self
    }

    /// Adds a number in the network's byte order.
    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Adds a text with the zero byte that the kernel expects behind it.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Adds attributes within an attribute.
    pub(crate) fn nested(self, kind: u16, value: &Self) -> Self {
        self.bytes(kind | NESTED, &value.0)
    }
}

/// A transaction: everything in it holds, or nothing.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Sequence number of the next message.
    next: u32,
}

impl Batch {
    /// An empty transaction.
    pub(crate) fn new() -> Self {
        let mut batch = Self { bytes: Vec::new(), next: 0 };
        batch.message(BATCH_BEGIN, 0, FAMILY_NONE, SUBSYSTEM, &[]);
        batch
    }

    /// Adds a request about rules of a family.
    pub(crate) fn request(mut self, family: Family, request: Request, attributes: &Attributes) -> Self {
        let kind = u16::from(SUBSYSTEM) << 8 | u16::from(request.kind());
        self.message(kind, request.flags() | ACKNOWLEDGE, family.number(), 0, &attributes.0);
        self
    }

    /// Ends the transaction: its bytes, and the sequence number of the last request.
    pub(crate) fn finish(mut self) -> (Vec<u8>, u32) {
        let last = self.next.saturating_sub(1);
        self.message(BATCH_END, 0, FAMILY_NONE, SUBSYSTEM, &[]);
        (self.bytes, last)
    }

    fn message(&mut self, kind: u16, flags: u16, family: u8, resource: u8, attributes: &[u8]) {
        // Header of netlink (16 bytes) and of nfnetlink (4 bytes: family, version, resource in network order).
        let length = u32::try_from(16 + 4 + attributes.len()).unwrap_or(u32::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | REQUEST).to_ne_bytes());
        self.bytes.extend(self.next.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        self.bytes.extend([family, 0, 0, resource]);
        self.bytes.extend(attributes);
        pad(&mut self.bytes);
        self.next += 1;
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// What the kernel says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The request's sequence number.
    pub(crate) sequence: u32,
    /// 0, or an error number.
    pub(crate) error: i32,
}

/// Reads the answers in what the kernel sent; anything else is passed over.
pub(crate) fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    /// Type of a message that acknowledges a request or refuses it.
    const ERROR: u16 = 2;
    let mut answers = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_ne_bytes(*length)).unwrap_or(usize::MAX);
        let Some((kind, rest)) = rest.split_first_chunk::<2>() else { break };
        // Flags, sequence number, port, then the error.
        if u16::from_ne_bytes(*kind) == ERROR
            && let Some((_, rest)) = rest.split_first_chunk::<2>()
            && let Some((sequence, rest)) = rest.split_first_chunk::<4>()
            && let Some((_, rest)) = rest.split_first_chunk::<4>()
            && let Some((error, _)) = rest.split_first_chunk::<4>()
        {
            let error = i32::from_ne_bytes(*error).saturating_neg();
            answers.push(Answer { sequence: u32::from_ne_bytes(*sequence), error });
        }
        let Some(next) = bytes.get(length.max(16).next_multiple_of(ALIGNMENT)..) else { break };
        bytes = next;
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested() {
        let inner = Attributes::default().text(1, "nat");
        let outer = Attributes::default().nested(2, &inner).number(3, 7);
        let mut expected = Vec::new();
        expected.extend(12_u16.to_ne_bytes());
        expected.extend((2_u16 | 0x8000).to_ne_bytes());
        expected.extend(8_u16.to_ne_bytes());
        expected.extend(1_u16.to_ne_bytes());
        expected.extend(b"nat\0");
        expected.extend(8_u16.to_ne_bytes());
        expected.extend(3_u16.to_ne_bytes());
        expected.extend([0, 0, 0, 7]);
        assert_eq!(outer.0, expected);
        assert_eq!(Attributes::default().text(1, "mesh").0.len(), 12, "five bytes take eight");
    }

    #[test]
    fn a_batch_is_framed_and_numbered() {
        let (bytes, last) =
            Batch::new().request(Family::Ipv6, Request::NewTable, &Attributes::default()).finish();
        assert_eq!((bytes.len(), last), (60, 1));
        assert_eq!(bytes[4..6], 16_u16.to_ne_bytes());
        assert_eq!(bytes[24..26], 0x0a00_u16.to_ne_bytes());
        assert_eq!(bytes[28..32], 1_u32.to_ne_bytes());
        assert_eq!(bytes[36], 10);
        assert_eq!(bytes[44..46], 17_u16.to_ne_bytes());
    }

    #[test]
    fn answers_are_read_and_garbage_is_not() {
        let mut bytes = Vec::new();
        for (sequence, error) in [(1_u32, 0_i32), (2, -1)] {
            bytes.extend(36_u32.to_ne_bytes());
            bytes.extend(2_u16.to_ne_bytes());
            bytes.extend(0_u16.to_ne_bytes());
            bytes.extend(sequence.to_ne_bytes());
            bytes.extend(0_u32.to_ne_bytes());
            bytes.extend(error.to_ne_bytes());
            bytes.extend([0; 16]);
        }
        let expected = vec![Answer { sequence: 1, error: 0 }, Answer { sequence: 2, error: 1 }];
        assert_eq!(answers(&bytes), expected);
        assert_eq!(answers(&bytes[..10]), []);
        assert_eq!(answers(&[0; 64]), [], "a length of zero does not go on for ever");
        assert_eq!(answers(&[0xff; 64]), []);
    }
}
