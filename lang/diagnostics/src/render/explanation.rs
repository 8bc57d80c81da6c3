//! What `meshc explain CODE` prints.

use crate::CodeInfo;

/// The code, its title and its explanation, which is Markdown meant to be read as it stands.
#[must_use]
pub fn render_explanation(info: &CodeInfo) -> String {
    format!("{}: {}\n\n{}\n", info.code, info.title, info.explanation.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn title_and_explanation() {
        let info = CodeInfo { code: Code("E0001"), title: "odd", explanation: "\nWhat it means.\n" };
        assert_eq!(render_explanation(&info), "E0001: odd\n\nWhat it means.\n");
    }
}
