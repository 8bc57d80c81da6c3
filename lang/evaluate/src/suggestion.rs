//! Advice that names the nearest word.

/// "did you mean `x`?" if one of `candidates` is near `word`; otherwise `advice`.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    advice: &str,
) -> String {
    match nearest(word, candidates) {
        Some(near) => format!("did you mean `{near}`?"),
        None => advice.to_owned(),
    }
}

/// The candidate at the smallest edit distance, if it is small for the length of the word.
fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count() / 3 + 1;
    let by_distance = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, nearest) = by_distance.min()?;
    (distance <= limit).then_some(nearest)
}

/// The edit distance after Levenshtein.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        let mut next = vec![before];
        for (right, above) in b.iter().zip(row.iter().skip(1)) {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = *above;
            before = substituted.min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
