//! Addresses of files as clients write them, and paths.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ls_types::Uri;

/// The path of a document. One that is no file has its address in the place of a path: it is beside nothing.
pub(crate) fn to_path(uri: &Uri) -> PathBuf {
    let is_file = uri.scheme().as_str().eq_ignore_ascii_case("file");
    match uri.to_file_path().filter(|_| is_file) {
        Some(path) => path.into_owned(),
        None => PathBuf::from(uri.as_str()),
    }
}

/// The address of a path.
pub(crate) fn of_path(path: &Path) -> Option<Uri> {
    let text = path.to_str()?;
    if !path.is_absolute() {
        return Uri::from_str(text).ok();
    }
    let mut address = String::from("file://");
    for byte in text.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => address.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(byte)),
            byte => {
                let _ = write!(address, "%{byte:02X}");
            }
        }
    }
    Uri::from_str(&address).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_addresses_and_paths_again() {
        for path in ["/a/b.mesh", "/with space/é#?.mesh", "/100%/mesh.mesh"] {
            let uri = of_path(Path::new(path)).unwrap();
            assert_eq!(to_path(&uri), Path::new(path), "{}", uri.as_str());
        }
        let unsaved = Uri::from_str("untitled:Untitled-1").unwrap();
        assert_eq!(of_path(&to_path(&unsaved)).unwrap(), unsaved);
    }
}
