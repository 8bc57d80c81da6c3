//! What one head may have.

/// How much is read of a head before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most headers, and as many trailers. At most [`Limits::MOST_HEADERS`].
    pub headers: usize,
    /// The most bytes of a head with its first line. Trailers have as many, and no more than 16,000.
    pub bytes: usize,
}

impl Limits {
    /// More headers than this are never read.
    pub const MOST_HEADERS: usize = 256;

    /// The longest target. Source: `http::Uri` holds no more.
    pub(crate) const TARGET: usize = (u16::MAX - 1) as usize;

    /// The most bytes of trailers.
    pub(crate) const TRAILERS: usize = 16_000;

    /// The longest body that can be announced, in bytes: far more than anybody sends, and far from where sums overflow.
    pub(crate) const BODY: u64 = u64::MAX >> 1;

    /// The most bytes of chunk extensions in a whole body: nobody uses them, and they cost whoever reads them.
    pub(crate) const EXTENSIONS: u32 = 16 * 1024;

    /// The most answers before the answer (`100`, `103`): who sends more means harm.
    pub(crate) const INTERIM: u32 = 64;
}

impl Default for Limits {
    fn default() -> Self {
        Limits { headers: 100, bytes: 64 * 1024 }
    }
}
