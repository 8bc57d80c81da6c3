//! A place in a JSON document, built on the way down.

/// A JSON path such as `listeners[2].bind`; the root prints as `$`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// The whole document.
    #[must_use]
    pub fn root() -> Self {
        Path(String::new())
    }

    /// The member `name` of this object; a name that is not a plain word is quoted.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        let plain =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        match (plain, self.0.is_empty()) {
            (true, true) => Path(name.to_owned()),
            (true, false) => Path(format!("{}.{name}", self.0)),
            (false, _) => Path(format!("{}[{name:?}]", self.0)),
        }
    }

    /// The element at `position` (from 0) of this array.
    #[must_use]
    pub fn index(&self, position: usize) -> Self {
        Path(format!("{}[{position}]", self.0))
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "$" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_like_the_document() {
        let path = Path::root().field("upstreams").field("a.b").field("groups").index(0).field("name");
        assert_eq!(path.to_string(), "upstreams[\"a.b\"].groups[0].name");
        assert_eq!(Path::root().to_string(), "$");
    }
}
