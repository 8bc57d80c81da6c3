//! Anchors of headings: the same in Markdown, where those who show it make them, and in the page.

/// The anchor of a heading: its text in lower case without signs, with a hyphen for every space.
pub(crate) fn of(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_go_and_spaces_become_hyphens() {
        assert_eq!(super::of("`cluster › gateway`"), "cluster--gateway");
        assert_eq!(super::of("What no mesh declares"), "what-no-mesh-declares");
        assert_eq!(super::of("`std.rate_limit.per_pod`"), "stdrate_limitper_pod");
    }
}
