//! JSON, written as it comes: the fields of an object stand in the order in which they are given. Nothing here is inlined: it is
//! called in a hundred places, none of which is in a hurry.

use larder_core::config::reading::quote;

/// An object that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Without fields yet.
    pub fn object() -> Self {
        Self("{".to_owned())
    }

    #[inline(never)]
    fn name(mut self, name: &str) -> Self {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        quote(name, &mut self.0);
        self.0.push(':');
        self
    }

    /// A field with a text.
    #[inline(never)]
    pub fn text(self, name: &str, text: &str) -> Self {
        let mut json = self.name(name);
        quote(text, &mut json.0);
        json
    }

    /// A field with a number.
    #[inline(never)]
    pub fn number(self, name: &str, number: u64) -> Self {
        self.raw(name, &number.to_string())
    }

    /// A field that is true or false.
    pub fn flag(self, name: &str, flag: bool) -> Self {
        self.raw(name, if flag { "true" } else { "false" })
    }

    /// A field with an object.
    #[inline(never)]
    pub fn nested(self, name: &str, object: Self) -> Self {
        self.raw(name, &object.end())
    }

    /// A field with what is JSON already.
    #[inline(never)]
    pub fn raw(self, name: &str, json: &str) -> Self {
        let mut whole = self.name(name);
        whole.0.push_str(json);
        whole
    }

    /// A field with a list of what is JSON already.
    pub fn list(self, name: &str, items: impl IntoIterator<Item = String>) -> Self {
        let mut json = self.name(name);
        json.0.push('[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                json.0.push(',');
            }
            json.0.push_str(&item);
        }
        json.0.push(']');
        json
    }

    /// The whole.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A text as JSON.
pub fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len().saturating_add(2));
    quote(text, &mut json);
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_stand_in_the_order_in_which_they_are_given() {
        let inner = Json::object().number("n", 7).flag("f", false);
        let json = Json::object()
            .text("b", "x")
            .nested("a", inner)
            .list("l", ["1".to_owned(), quoted("2")])
            .list("none", [])
            .nested("empty", Json::object())
            .end();
        assert_eq!(
            json,
            r#"{"b":"x","a":{"n":7,"f":false},"l":[1,"2"],"none":[],"empty":{}}"#
        );
    }

    #[test]
    fn a_text_that_ends_like_an_object_needs_its_comma() {
        let json = Json::object()
            .text("a", "{")
            .text("b", "[")
            .number("c", 1)
            .end();
        assert_eq!(json, r#"{"a":"{","b":"[","c":1}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>(), name in any::<String>()) {
            let json = Json::object().text(&name, &text).end();
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read[&name].as_str(), Some(text.as_str()));
        }
    }
}
