//! What a rule does with requests and answers.

use mesh_tests::random::Random;

use crate::text::Item;

/// Where a rule answers with another address.
pub(crate) fn redirect(has_prefix: bool, random: &mut Random) -> Item {
    let forms = [
        "redirect = https",
        "redirect { host = \"other.example\", status = 301 }",
        "redirect { port = 8443 }",
        "redirect { path = \"/moved\", status = 308 }",
        "redirect { scheme = https, host = \"other.example\", port = 444 }",
        "redirect { regex = \"/(a|items)/(.*)\", substitution = \"/\\\\2/\\\\1\" }",
        "redirect { status = 303 }",
        "redirect { prefix = \"/moved\" }",
        "redirect { prefix = \"/\", status = 307 }",
    ];
    Item::line(forms[random.below(if has_prefix { 9 } else { 7 })])
}

/// Where a rule answers by itself.
pub(crate) fn respond(random: &mut Random) -> Item {
    let status = random.of(&["200", "204", "401", "404", "503"]);
    let body = if status == "204" {
        ""
    } else {
        random.of(&[", body = \"said\"", ", body = \"said\", content_type = \"text/x\""])
    };
    Item::line(format!("respond {{ status = {status}{body} }}"))
}

/// What is sent on in another form.
pub(crate) fn rewrite(has_prefix: bool, random: &mut Random) -> Item {
    let forms = [
        "rewrite { host = \"inner.example\" }",
        "rewrite { path = \"/whole\" }",
        "rewrite { regex = \"/(a|items)/(.*)\", substitution = \"/\\\\2/\\\\1\" }",
        "rewrite { prefix = \"/\" }",
        "rewrite { prefix = \"/x/y\" }",
    ];
    Item::line(forms[random.below(if has_prefix { 5 } else { 3 })])
}

/// What any rule may do.
pub(crate) fn of_any(random: &mut Random) -> Vec<Item> {
    let mut items: Vec<Item> = headers("response_headers", "x-out", random).into_iter().collect();
    if random.percent(10) {
        items.push(fault(random));
    }
    if random.percent(10) {
        items.push(cors(random));
    }
    items
}

/// Properties of requests that are the same on both data planes: no two requests have one id.
const PROPERTIES: [&str; 7] = [
    "request.method",
    "request.path",
    "request.path_and_query",
    "request.host",
    "request.scheme",
    "request.protocol",
    "request.client_address",
];

/// Changes of headers.
pub(crate) fn headers(word: &str, name: &str, random: &mut Random) -> Option<Item> {
    if !random.percent(15) {
        return None;
    }
    let mut value = || match random.percent(40) {
        true => format!("\"of ${{{}}}\"", random.of(&PROPERTIES)),
        false => String::from("\"1\""),
    };
    let (set, add) = (value(), value());
    let mut inside = Vec::new();
    if random.percent(50) {
        inside.push(Item::line(format!("set = {{ {name}-set = {set} }}")));
    }
    if random.percent(50) {
        inside.push(Item::line(format!("add = {{ {name}-add = {add}, x-tier = \"added\" }}")));
    }
    if inside.is_empty() || random.percent(30) {
        inside.push(Item::list("remove", ["\"x-user\""]));
    }
    Some(Item::block(word, inside))
}

/// All requests are delayed or refused, or none: of other shares chance decides.
fn fault(random: &mut Random) -> Item {
    let mut inside = Vec::new();
    if random.percent(50) {
        inside.push(Item::line(random.of(&[
            "header x-tier { exact = \"gold\" }",
            "header x-user {}",
            "header x-tier { not = true }",
        ])));
    }
    if random.percent(30) {
        let share = random.of(&["", ", share = 100%", ", share = 0%"]);
        inside.push(Item::line(format!("delay {{ time = 20ms{share} }}")));
    }
    if inside.iter().all(|item| matches!(item, Item::Line(line) if line.starts_with("header")))
        || random.percent(50)
    {
        let how = random.of(&["status = 503", "status = 429", "grpc = data_loss", "grpc = unavailable"]);
        let share = random.of(&["", ", share = 100%", ", share = 0%"]);
        inside.push(Item::line(format!("abort {{ {how}{share} }}")));
    }
    Item::block("fault", inside)
}

/// What pages of other origins may do.
fn cors(random: &mut Random) -> Item {
    let mut inside = match random.below(3) {
        0 => vec![Item::line("allow_origins = [\"*\"]")],
        1 => vec![Item::line("allow_origins = [\"https://a.example\", \"https://*.b.example\"]")],
        _ => vec![
            Item::line("allow_origin_regexes = [\"https://[a-z]+\\\\.local\"]"),
            Item::line("allow_credentials = true"),
        ],
    };
    for line in [
        "allow_methods = [\"PUT\"]",
        "allow_headers = [\"x-user\"]",
        "expose_headers = [\"x-out-set\"]",
        "max_age = 10m",
    ] {
        if random.percent(40) {
            inside.push(Item::line(line));
        }
    }
    Item::block("cors", inside)
}

/// Which failed requests are sent again.
pub(crate) fn retry(random: &mut Random) -> Item {
    let when = [
        "5xx",
        "500",
        "503",
        "connect_failure",
        "reset",
        "unavailable",
        "internal",
        "cancelled",
        "deadline_exceeded",
        "resource_exhausted",
    ]
    .map(String::from);
    let mut inside = vec![Item::line(format!("attempts = {}", random.below(3)))];
    if random.percent(80) {
        inside.push(Item::list("when", random.some(&when)));
    }
    for (chance, line) in [
        (60, "other_localities = true"),
        (10, "per_try_idle = 5s"),
        (10, "max_retry_after = 1s"),
        (10, "max_body = 128KiB"),
    ] {
        if random.percent(chance) {
            inside.push(Item::line(line));
        }
    }
    if random.percent(10) {
        inside.push(Item::line("per_try_timeout = 5s"));
        // No attempt takes so long that another one goes on beside it.
        inside.extend(random.percent(40).then(|| Item::line("hedge = true")));
    }
    if random.percent(15) {
        inside.extend(["back_off = 5ms", "max_back_off = 20ms"].map(Item::line));
    }
    if random.percent(30) {
        inside.push(match random.percent(70) {
            true => Item::list("methods", ["\"GET\"", "\"POST\""]),
            false => Item::list("methods", ["\"*\""]),
        });
    }
    Item::block("retry", inside)
}
