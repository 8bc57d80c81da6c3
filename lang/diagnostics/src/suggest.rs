//! "Did you mean": the nearest of several names.

/// The candidate nearest to `name`, if any is near enough that it was probably meant: about one typing mistake for
/// each three characters, where a mistake is a missing, additional, other or swapped character. Letter case and
/// `-` for `_` do not count. Of equally near candidates the alphabetically first is taken.
#[must_use]
pub fn suggest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let written = folded(name);
    let most = (written.len() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| {
            let candidate_folded = folded(candidate);
            // The distance is at least the difference of the lengths, which is cheap to see.
            if written.len().abs_diff(candidate_folded.len()) > most {
                return None;
            }
            // A mistake in every character is no similarity.
            let distance = distance(&written, &candidate_folded);
            (distance <= most && distance < written.len().max(1)).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// As [`suggest`], for a word of the language among those of its place. Other languages use longer words for the same, or
/// write them in another way, so a candidate is also near if the written word begins with it, by whole parts
/// (`outlier_detection`, `targetPort`), or is its beginning (`dir` for `directory`), or is a plural; and if no part of
/// the written word is another candidate.
#[must_use]
pub fn suggest_word<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let candidates: Vec<_> = candidates.into_iter().collect();
    if let Some(near) = suggest(name, candidates.iter().copied()) {
        return Some(near);
    }
    if let Some(stem) = name.strip_suffix("ies") {
        let singular = format!("{stem}y");
        return candidates.into_iter().find(|candidate| *candidate == singular);
    }
    let written = parts(name);
    let whole = written.concat();
    let begins = |candidate: &&str| {
        let own = parts(candidate).concat();
        let ends = (1..written.len()).filter_map(|count| written.get(..count)).map(<[String]>::concat);
        own.len() >= 4 && ends.into_iter().any(|end| end == own)
            || whole.len() >= 3 && own.starts_with(&whole)
    };
    let mut near = candidates.iter().copied().filter(begins);
    let (Some(found), None) = (near.next(), near.next()) else { return None };
    let ambiguous = |part: &String| candidates.iter().any(|other| *other != found && *other == part);
    (!written.iter().any(ambiguous)).then_some(found)
}

/// The parts of a word that is written `like_this`, `like-this` or `likeThis`, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    for character in name.chars() {
        if matches!(character, '_' | '-') || character.is_uppercase() {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut().filter(|_| !matches!(character, '_' | '-')) {
            last.extend(character.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The characters that count.
fn folded(name: &str) -> Vec<char> {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(|character| if character == '-' { '_' } else { character })
        .collect()
}

/// Optimal string alignment distance: the fewest insertions, deletions, replacements and swaps of neighbours, no
/// part being changed twice.
fn distance(left: &[char], right: &[char]) -> usize {
    // Rows of the usual table: two rows back, one row back, and the one being filled.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, column) + usize::from(from != to);
            let mut fewest = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if row > 0 && column > 0 && left.get(row - 1) == Some(to) && right.get(column - 1) == Some(from) {
                fewest = fewest.min(at(&before, column - 1) + 1);
            }
            current.push(fewest);
        }
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(left: &str, right: &str) -> usize {
        distance(&folded(left), &folded(right))
    }

    #[test]
    fn distances() {
        assert_eq!(between("", ""), 0);
        assert_eq!(between("abc", ""), 3);
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("kitten", "sitting"), 3);
        assert_eq!(between("calls", "clals"), 1);
        assert_eq!(between("Rate-Limit", "rate_limit"), 0);
    }

    #[test]
    fn the_nearest_name_is_proposed_if_it_is_near() {
        let names = ["catalog", "webapp", "simple-backend", "data_plane"];
        assert_eq!(suggest("catlog", names), Some("catalog"));
        assert_eq!(suggest("simple_backend", names), Some("simple-backend"));
        assert_eq!(suggest("data-plain", names), Some("data_plane"));
        assert_eq!(suggest("WebApp", names), Some("webapp"));
        assert_eq!(suggest("orders", names), None);
        assert_eq!(suggest("catalog", names), None, "the name itself is no suggestion");
        assert_eq!(suggest("", names), None);
    }

    #[test]
    fn short_names_need_something_in_common() {
        assert_eq!(suggest("b", ["a"]), None);
        assert_eq!(suggest("to", ["in", "tp"]), Some("tp"));
    }

    #[test]
    fn words_of_other_languages_are_near() {
        let outlier = ["enabled", "consecutive_gateway_errors", "consecutive_5xx", "interval", "ejection"];
        assert_eq!(suggest_word("consecutive5xxErrors", outlier), Some("consecutive_5xx"));
        assert_eq!(suggest_word("interval_seconds", outlier), Some("interval"));
        assert_eq!(
            suggest_word("max_ejection_percent", outlier),
            None,
            "a part in the middle is something else"
        );
        let port = ["number", "target", "protocol"];
        assert_eq!(suggest_word("targetPort", port), Some("target"));
        assert_eq!(suggest_word("num", port), Some("number"));
        assert_eq!(suggest_word("retries", ["retry", "timeout"]), Some("retry"));
        assert_eq!(suggest_word("outlier_detection", ["outlier", "pool"]), Some("outlier"));
        assert_eq!(suggest_word("dir", ["directory"]), Some("directory"));
        assert_eq!(suggest_word("path_prefix", ["path", "prefix"]), None, "it may be either");
    }

    #[test]
    fn ties_do_not_depend_on_the_order() {
        assert_eq!(suggest("west", ["best", "test", "rest"]), Some("best"));
        assert_eq!(suggest("west", ["test", "rest", "best"]), Some("best"));
    }
}
