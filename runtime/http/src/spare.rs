//! What one message needs and the next one needs again. The thread keeps a few of each, so that a request neither asks the allocator
//! for them nor moves them about, and an idle connection has none.

use bytes::BytesMut;
use http::header::InvalidHeaderName;
use http::{HeaderMap, HeaderName};
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::pin::Pin;

/// How many of each are kept.
const MOST: usize = 32;

/// Headers with more room than this are not kept.
const MOST_HEADERS: usize = 64;

/// Nor are buffers of more bytes.
const MOST_BYTES: usize = 8 * 1024;

/// How many bytes a new buffer has: most heads.
const BUFFER: usize = 512;

/// What has come is put into pieces of so many bytes, one message behind the other. Whoever keeps a part of one message keeps
/// the piece, which is why it is small.
const PIECE: usize = 4 * 1024;

/// What is larger than this has a buffer of its own.
const LARGEST: usize = PIECE / 2;

/// How many names of headers are known, and how long they are at most.
const NAMES: usize = 128;
const LONGEST_NAME: usize = 40;

thread_local! {
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// The piece into which is put what comes next, and the one before it.
    static CAME: RefCell<[BytesMut; 2]> = RefCell::default();
    /// Names that came, each at a place that follows from it: most messages have names that others had.
    static KNOWN: RefCell<[Option<HeaderName>; NAMES]> = const { RefCell::new([const { None }; NAMES]) };
    /// A list for each type of future.
    static ROOMS: RefCell<Vec<(TypeId, Box<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps one more, if there are not enough of them.
fn keep<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() < MOST {
        kept.push(one);
    }
}

/// Headers without any, with room for so many at least.
pub(crate) fn headers(room: usize) -> HeaderMap {
    let mut headers = HEADERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    headers.reserve(room);
    headers
}

/// Gives headers back that nobody needs any more.
pub fn give_back_headers(mut headers: HeaderMap) {
    if (1..=MOST_HEADERS).contains(&headers.capacity()) {
        headers.clear();
        HEADERS.with_borrow_mut(|kept| keep(kept, headers));
    }
}

/// An empty buffer.
pub(crate) fn buffer() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BUFFER))
}

/// Gives a buffer back.
pub(crate) fn give_back_buffer(mut buffer: Vec<u8>) {
    if (1..=MOST_BYTES).contains(&buffer.capacity()) {
        buffer.clear();
        BUFFERS.with_borrow_mut(|kept| keep(kept, buffer));
    }
}

/// What has come, where more may be added.
pub(crate) fn came(bytes: &[u8]) -> BytesMut {
    if bytes.len() > LARGEST {
        return BytesMut::from(bytes);
    }
    CAME.with_borrow_mut(|[piece, before]| {
        // Once it is full it begins anew, if nobody has any of it. Mostly somebody has: what came just now is being read.
        if !piece.try_reclaim(bytes.len()) {
            std::mem::swap(piece, before);
            if !piece.try_reclaim(bytes.len()) {
                *piece = BytesMut::with_capacity(PIECE);
            }
        }
        piece.extend_from_slice(bytes);
        piece.split()
    })
}

/// The name of a header.
pub(crate) fn name(bytes: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return HeaderName::from_bytes(bytes);
    };
    if bytes.len() > LONGEST_NAME {
        return HeaderName::from_bytes(bytes);
    }
    let middle = bytes.get(bytes.len() / 2).unwrap_or(last);
    let [first, middle, last] = [first, middle, last].map(|byte| usize::from(byte | 0x20));
    let at = (first * 3 + middle * 5 + last * 7 + bytes.len() * 11) % NAMES;
    KNOWN.with_borrow_mut(|known| {
        let Some(place) = known.get_mut(at) else { return HeaderName::from_bytes(bytes) };
        match place {
            Some(name) if name.as_str().as_bytes().eq_ignore_ascii_case(bytes) => Ok(name.clone()),
            Some(_) | None => Ok(place.insert(HeaderName::from_bytes(bytes)?).clone()),
        }
    })
}

/// Where a future is while it runs.
pub(crate) type Room<F> = Pin<Box<Option<F>>>;

/// The rooms of a type.
fn rooms<F: 'static, T>(look: impl FnOnce(&mut Vec<Room<F>>) -> T) -> Option<T> {
    ROOMS.with_borrow_mut(|lists| {
        let of = TypeId::of::<F>();
        let at = lists.iter().position(|(other, _)| *other == of).unwrap_or_else(|| {
            lists.push((of, Box::new(Vec::<Room<F>>::new())));
            lists.len() - 1
        });
        lists.get_mut(at)?.1.downcast_mut().map(look)
    })
}

/// A room with this future in it.
pub(crate) fn room<F: 'static>(future: F) -> Room<F> {
    match rooms(Vec::pop).flatten() {
        Some(mut room) => {
            room.set(Some(future));
            room
        }
        None => Box::pin(Some(future)),
    }
}

/// Ends what is in a room, and gives it back.
pub(crate) fn give_back_room<F: 'static>(mut room: Room<F>) {
    // Not while the rooms are borrowed: what ends may lead back here.
    room.set(None);
    rooms(|kept| keep(kept, room));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_comes_back_is_empty_and_is_used_again() {
        let mut some = headers(3);
        some.insert("a", http::HeaderValue::from_static("b"));
        let capacity = some.capacity();
        give_back_headers(some);
        let again = headers(0);
        assert_eq!((again.len(), again.capacity()), (0, capacity));

        let mut bytes = buffer();
        bytes.extend_from_slice(&[7; 1000]);
        let place = bytes.as_ptr();
        give_back_buffer(bytes);
        let again = buffer();
        assert_eq!((again.len(), again.as_ptr()), (0, place));
    }

    #[test]
    fn what_comes_is_kept_apart_and_its_room_is_used_again() {
        let first = came(&[1; 1000]).freeze();
        let mut others: Vec<_> = (2..20).map(|byte| came(&[byte; 1000])).collect();
        others.iter_mut().for_each(|other| other.extend_from_slice(b"more"));
        assert!(first.iter().all(|byte| *byte == 1));
        for (byte, other) in (2..20).zip(&others) {
            assert!(other.ends_with(b"more") && other.iter().take(1000).all(|other| *other == byte));
        }
        drop((first, others));
        let mut places: Vec<_> = (0..20).map(|_| came(&[3; 1000]).as_ptr()).collect();
        places.sort_unstable();
        places.dedup();
        assert!(places.len() <= 8, "two pieces are enough");
        assert_eq!(came(&vec![4; LARGEST + 1]).len(), LARGEST + 1);
    }

    #[test]
    fn a_name_is_what_it_would_be_without_those_that_are_known() {
        let long = "x".repeat(LONGEST_NAME + 1);
        let names =
            ["Host", "hOST", "x-a", "X-A", "x-b", "", "a b", "\u{e4}", "x-\r", &long, "CONTENT-length"];
        for _ in 0..2 {
            for text in names {
                let (known, new) = (name(text.as_bytes()), HeaderName::from_bytes(text.as_bytes()));
                assert_eq!(known.ok(), new.ok(), "{text:?}");
            }
            for number in 0..2000 {
                let text = format!("x-{number}");
                assert_eq!(name(text.as_bytes()).unwrap().as_str(), text);
            }
        }
    }

    #[test]
    fn what_is_large_is_not_kept() {
        give_back_headers(HeaderMap::with_capacity(2 * MOST_HEADERS));
        give_back_buffer(Vec::with_capacity(2 * MOST_BYTES));
        assert_eq!((headers(0).capacity(), buffer().capacity()), (0, BUFFER));
        (0..2 * MOST).map(|_| vec![0; 9]).for_each(give_back_buffer);
        assert_eq!(BUFFERS.with_borrow(Vec::len), MOST);
    }

    #[test]
    fn a_future_ends_when_its_room_is_given_back() {
        let held = Rc::new(());
        let waiting = |held: Rc<()>| async move {
            std::future::pending::<()>().await;
            drop(held);
        };
        let first = room(waiting(Rc::clone(&held)));
        let place: *const _ = &*first;
        assert_eq!(Rc::strong_count(&held), 2);
        give_back_room(first);
        assert_eq!(Rc::strong_count(&held), 1);
        let second = room(waiting(Rc::clone(&held)));
        assert!(std::ptr::eq(place, &*second));
    }
}
