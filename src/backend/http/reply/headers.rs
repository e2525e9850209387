//! Headers of an answer that belong to the result: a version, a place, a page.

use http::HeaderMap;
use serde_json::Value;

use crate::{
    backend::http::HeaderName,
    model::{Content, Json, json},
};

/// Puts the headers that the tool asks for into what the body came to, each under
/// its name: as members of a JSON object, whose own text stays; other JSON and
/// text become the `body` of an object. What an object says itself under such a
/// name is kept.
pub(super) fn put(
    mut content: Vec<Content>,
    headers: &HeaderMap,
    wanted: &[(Box<str>, HeaderName)],
) -> Vec<Content> {
    if wanted.is_empty() {
        return content;
    }
    let mut found: Vec<_> = wanted
        .iter()
        .filter_map(|(name, header)| Some((&**name, value(headers, header)?)))
        .collect();
    let object = match content.as_slice() {
        [Content::Json(json)] => match json::members(json.as_str()) {
            Some(own) => {
                found.retain(|(name, _)| own.iter().all(|(key, _)| key != name));
                json.as_str().to_owned()
            }
            None => format!("{{\"body\":{json}}}"),
        },
        [Content::Text(text)] => format!("{{\"body\":{}}}", Value::from(&**text)),
        // Of what was not found nothing is said; an image has it beside it.
        _ if found.is_empty() => return content,
        _ => "{}".to_owned(),
    };
    // What would be nested too deep stays as it came.
    if let Some(object) = extended(&object, &found) {
        content.retain(|block| !matches!(block, Content::Json(_) | Content::Text(_)));
        content.push(Content::Json(object));
    }
    content
}

/// The object with these members at its end.
fn extended(object: &str, members: &[(&str, String)]) -> Option<Json> {
    let mut text = object.trim_ascii_end().strip_suffix('}')?.to_owned();
    let mut separator = if text.trim_ascii_end().ends_with('{') { "" } else { "," };
    for (name, value) in members {
        text.push_str(separator);
        text.push_str(&format!("{}:{}", Value::from(*name), Value::from(value.as_str())));
        separator = ",";
    }
    text.push('}');
    Json::from_backend(text).ok()
}

/// Lines of one name are one list (RFC 9110, section 5.3).
fn value(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(&name.0).iter();
    let lines: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Content {
        Content::Json(Json::from_backend(text.to_owned()).unwrap())
    }

    fn put_into(content: Content, headers: &[(&'static str, &str)]) -> Vec<Content> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let header = |name| HeaderName::try_new(name).unwrap();
        let wanted = [("_etag".into(), header("ETag")), ("next \"page\"".into(), header("Link"))];
        put(vec![content], &map, &wanted)
    }

    #[test]
    fn an_object_keeps_its_text_and_what_it_says_itself() {
        let etag = ("etag", "\"33a6\"");
        for (body, headers, is) in [
            (r#"{"n": 1.10 }"#, vec![etag], r#"{"n": 1.10 ,"_etag":"\"33a6\""}"#),
            ("{}", vec![etag], r#"{"_etag":"\"33a6\""}"#),
            (" { } ", vec![etag], r#" { "_etag":"\"33a6\""}"#),
            (r#"{"a":"{"}"#, vec![etag], r#"{"a":"{","_etag":"\"33a6\""}"#),
            (r#"{"_etag":7}"#, vec![etag], r#"{"_etag":7}"#),
            (r#"{"\u005fetag":7}"#, vec![etag], r#"{"\u005fetag":7}"#),
            (r#"{"a":1}"#, vec![("x-other", "y")], r#"{"a":1}"#),
            (
                r#"{"a":1}"#,
                vec![("link", "</1>; rel=next"), ("link", "</9>")],
                r#"{"a":1,"next \"page\"":"</1>; rel=next, </9>"}"#,
            ),
        ] {
            let content = put_into(json(body), &headers);
            assert_eq!(content, [json(is)], "{body}");
        }
    }

    #[test]
    fn what_is_no_object_becomes_the_body_of_one_with_or_without_headers() {
        let etag = ("etag", "W/\"1\"");
        let text = Content::Text("a \"b\"\n".into());
        let image = Content::Image { media_type: "image/png".into(), data: "x".into() };
        for (body, headers, is) in [
            (json("[1.10]"), vec![etag], vec![json(r#"{"body":[1.10],"_etag":"W/\"1\""}"#)]),
            (json("null"), vec![], vec![json(r#"{"body":null}"#)]),
            (text, vec![etag], vec![json(r#"{"body":"a \"b\"\n","_etag":"W/\"1\""}"#)]),
            (image.clone(), vec![], vec![image.clone()]),
            (image.clone(), vec![etag], vec![image, json(r#"{"_etag":"W/\"1\""}"#)]),
        ] {
            assert_eq!(put_into(body, &headers), is);
        }
        let deep = json(&format!("{}{}", "[".repeat(127), "]".repeat(127)));
        assert_eq!(put_into(deep.clone(), &[etag]), [deep]);
    }
}
