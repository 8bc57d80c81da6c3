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
    fn ties_do_not_depend_on_the_order() {
        assert_eq!(suggest("west", ["best", "test", "rest"]), Some("best"));
        assert_eq!(suggest("west", ["test", "rest", "best"]), Some("best"));
    }
}
