//! Which answers may be passed on: those whose length is said once and plainly, within the bounds, and that were asked for.

use crate::bounds::Bounds;
use crate::target::is_chunked_or_plain;
use http::{Response, StatusCode, Version, header};

/// Why an answer must not be passed on; nothing if it may be.
/// `asked` says whether the request was for another protocol.
pub(crate) fn unfit<B>(response: &Response<B>, bounds: Bounds, asked: bool) -> Option<&'static str> {
    let (version, status, headers) = (response.version(), response.status(), response.headers());
    if !bounds.admits_answer(version, status, headers) {
        return Some("the headers of the answer are too large");
    }
    if !is_chunked_or_plain(headers) {
        // Where such a body ends, and what it means without its coding, only the two ends of it know.
        return Some("the answer has a transfer-encoding other than chunked");
    }
    if status == StatusCode::SWITCHING_PROTOCOLS && !asked {
        // What follows would belong to no request.
        return Some("the answer changes the protocol, which was not asked for");
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let (length, is_chunked) = (lengths.next(), headers.contains_key(header::TRANSFER_ENCODING));
    // Who believed another statement would find the next answer elsewhere (RFC 9112, section 6.3).
    if lengths.next().is_some() || (length.is_some() && is_chunked) {
        return Some("the answer states its length twice");
    }
    let says_more = is_chunked || length.is_some_and(|length| length != "0");
    if version != Version::HTTP_2 && status == StatusCode::NO_CONTENT && says_more {
        return Some("the answer has no content and states a length");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fit(version: Version, status: u16, headers: &[(&str, &str)]) -> bool {
        let mut response = Response::builder().version(version).status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        unfit(&response.body(()).unwrap(), Bounds::OUTSIDE, false).is_none()
    }

    #[test]
    fn a_length_is_said_once_and_plainly() {
        let (one, chunked) = (("content-length", "1"), ("transfer-encoding", "chunked"));
        for (status, headers, fits) in [
            (200, [].as_slice(), true),
            (200, &[one], true),
            (200, &[chunked], true),
            (200, &[one, one], false),
            (200, &[one, chunked], false),
            (200, &[("transfer-encoding", "gzip, chunked")], false),
            (304, &[one], true),
            (204, &[], true),
            (204, &[("content-length", "0")], true),
            (204, &[one], false),
            (204, &[chunked], false),
            (101, &[], false),
        ] {
            assert_eq!(is_fit(Version::HTTP_11, status, headers), fits, "{status} {headers:?}");
        }
        assert!(is_fit(Version::HTTP_2, 204, &[one]), "frames say where it ends");
    }
}
