//! The buffers that the TLS connections of a thread share, so that none has one while nothing moves on it.

use std::cell::RefCell;

/// How much is read at once, in bytes.
const PIECE: usize = 32 * 1024;

/// How much of what is written goes out at once, in bytes: two whole records.
pub(super) const WHOLE: usize = 32 * 1024;

/// Room for that once it is encrypted. Source: RFC 8446, section 5.2, and more than enough for RFC 5246.
const ENCRYPTED: usize = WHOLE + 2 * 512;

/// What the connections of a thread share while one of them is polled.
pub(super) struct Shared {
    pub(super) read: Box<[u8]>,
    pub(super) encrypted: Vec<u8>,
    /// Pieces that are written together.
    pub(super) gathered: Vec<u8>,
}

impl Shared {
    fn new() -> Self {
        Shared {
            read: vec![0; PIECE].into_boxed_slice(),
            encrypted: vec![0; ENCRYPTED],
            gathered: Vec::new(),
        }
    }
}

thread_local! {
    static SHARED: RefCell<Shared> = RefCell::new(Shared::new());
}

/// Lends what is shared. A connection inside another one, which is polled meanwhile, has its own for as long.
pub(super) fn with_shared<T>(use_it: impl FnOnce(&mut Shared) -> T) -> T {
    SHARED.with(|shared| match shared.try_borrow_mut() {
        Ok(mut shared) => use_it(&mut shared),
        Err(_) => use_it(&mut Shared::new()),
    })
}
