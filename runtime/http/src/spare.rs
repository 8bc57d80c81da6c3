//! What one message needs and the next one needs again. The thread keeps a few of each, so that a request neither asks the allocator
//! for them nor moves them about, and an idle connection has none.

use http::HeaderMap;
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

thread_local! {
    static HEADERS: RefCell<Vec<HeaderMap>> = const { RefCell::new(Vec::new()) };
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
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
