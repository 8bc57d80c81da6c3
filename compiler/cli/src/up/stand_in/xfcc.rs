//! `x-forwarded-client-cert`, as Envoy documents it: elements joined by `,`, each of `Key=value` pairs joined by `;`,
//! values in double quotes where they hold one of these characters.

/// The URI of the peer that connected to the nearest proxy: that of the last element.
pub(super) fn uri(header: &str) -> Option<String> {
    let element = split(header, ',').pop()?;
    split(element, ';').into_iter().find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        key.eq_ignore_ascii_case("uri").then(|| value.replace("\\\"", "\""))
    })
}

/// Splits at a character that stands outside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let splits = c == separator && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_of_the_last_element() {
        let one = "By=spiffe://t/ns/a/sa/b;Hash=00;URI=spiffe://t/ns/a/sa/web";
        assert_eq!(uri(one).as_deref(), Some("spiffe://t/ns/a/sa/web"));
        let two = r#"URI=spiffe://t/far;Subject="CN=x,y;z=\"q\"",Hash=1;Subject="a,b";uri="spiffe://t/near""#;
        assert_eq!(uri(two).as_deref(), Some("spiffe://t/near"));
        assert_eq!(uri("Hash=1"), None);
        assert_eq!(uri(""), None);
    }
}
