//! Asks the questions of tests, one after the other, and makes applications fail meanwhile.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lang_diagnostics::{Diagnostic, Span};
use meshc_driver::live::{Asked, Inquiry, Judged, LiveTest, Observation, Question, Seen};
use tokio::time::sleep;

use super::Live;
use super::client::Client;
use crate::console::Console;
use crate::exit::Failure;
use crate::progress::Progress;
use crate::up::{Behaviour, control};

/// How long a mesh that is well may take to do what is expected.
const USUAL: Duration = Duration::from_secs(3);
/// How long proxies may take to notice what has failed.
const NOTICED: Duration = Duration::from_secs(30);
/// How long they may take to use again what has been healed: an ejection is half a minute by default.
const HEALED: Duration = Duration::from_secs(60);
/// How long it takes until the same is asked again.
const AGAIN: Duration = Duration::from_millis(250);
/// How often a limit is tried.
const TRIES: usize = 3;
/// How many requests show who answers usually.
const SAMPLE: usize = 20;

/// What came of a test.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// Its name.
    pub(crate) name: String,
    /// Where it is declared.
    pub(crate) span: Span,
    /// How much it expects.
    pub(crate) expectations: usize,
    /// What is not as expected.
    pub(crate) findings: Vec<Diagnostic>,
    /// What was not asked.
    pub(crate) open: Vec<Open>,
}

/// What was not asked, and why.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// Where it is expected.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) what: String,
    /// Why not.
    pub(crate) why: String,
}

/// Asks all tests. Those that need nothing to fail come first, and within each those that use nothing up.
pub(crate) async fn ask(
    live: &Live,
    tests: &[LiveTest],
    progress: &mut Progress,
    console: &Console,
) -> Result<Vec<Answered>, Failure> {
    let mut judged: Vec<Vec<Option<Judged>>> =
        tests.iter().map(|test| vec![None; test.questions.len()]).collect();
    let mut put = |test: usize, question: usize, came: Judged| {
        if let Some(place) = judged.get_mut(test).and_then(|all| all.get_mut(question)) {
            *place = Some(came);
        }
    };
    for uses_up in [false, true] {
        for (number, test) in tests.iter().enumerate().filter(|(_, test)| test.fail.is_empty()) {
            progress.step(&format!("asking the running mesh: {}", test.name));
            for (position, question) in of(test, uses_up) {
                put(number, position, answer(live, question, USUAL).await?);
            }
        }
        let failing = tests.iter().enumerate().filter(|(_, test)| !uses_up && !test.fail.is_empty());
        for (number, test) in failing {
            progress.step(&format!("asking the running mesh: {}", test.name));
            for (position, came) in failed(live, test, progress, console).await? {
                put(number, position, came);
            }
        }
    }
    Ok(tests.iter().zip(judged).map(|(test, judged)| answered(test, judged)).collect())
}

/// The questions of a test that use up what others may need, or those that do not.
fn of(test: &LiveTest, uses_up: bool) -> impl Iterator<Item = (usize, &Question)> {
    let is = move |question: &Question| match &question.asked {
        Asked::By(inquiry) => inquiry.wish.uses_up() == uses_up,
        Asked::Open(_) | Asked::Unmet(_) => !uses_up,
    };
    test.questions.iter().enumerate().filter(move |(_, question)| is(question))
}

/// Asks a test while something has failed, and waits until that is used again.
async fn failed(
    live: &Live,
    test: &LiveTest,
    progress: &mut Progress,
    console: &Console,
) -> Result<Vec<(usize, Judged)>, Failure> {
    let used = used(live, test).await?;
    let request = |(service, cluster): &(String, String)| control::Request {
        service: service.clone(),
        cluster: cluster.clone(),
        behaviour: Behaviour::Gone,
    };
    let held = match control::hold(&live.socket, test.fail.iter().map(request).collect()) {
        Ok(held) => held,
        Err(failure) => {
            let all = test.questions.iter().enumerate();
            return Ok(all.map(|(position, _)| (position, Judged::Open(failure.message.clone()))).collect());
        }
    };
    let mut all = Vec::new();
    for uses_up in [false, true] {
        for (position, question) in of(test, uses_up) {
            all.push((position, answer(live, question, NOTICED).await?));
        }
    }
    drop(held);
    progress.step(&format!("waiting until what has failed is used again: {}", test.name));
    let end = Instant::now() + HEALED;
    for (inquiry, position, place) in used {
        while !sample(live, inquiry, position).await?.contains(&place) {
            if Instant::now() > end {
                let (service, cluster) = &place;
                let seconds = HEALED.as_secs();
                console.warning(&format!(
                    "`{service}` in `{cluster}` is healed, and not used again within {seconds}s"
                ));
                return Ok(all);
            }
            sleep(AGAIN).await;
        }
    }
    Ok(all)
}

/// A service in a cluster.
type Instance = (String, String);

/// Which probes of a test are usually answered by what is about to fail.
async fn used<'t>(live: &Live, test: &'t LiveTest) -> Result<Vec<(&'t Inquiry, usize, Instance)>, Failure> {
    let fails = |place: &Instance| {
        let is = |name: &String| {
            place.0 == *name || place.0.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        test.fail.iter().any(|(service, cluster)| is(service) && place.1 == *cluster)
    };
    let mut used = Vec::new();
    for (_, question) in of(test, false) {
        let Asked::By(inquiry) = &question.asked else { continue };
        for position in 0..inquiry.probes.len() {
            let answer = sample(live, inquiry, position).await?;
            used.extend(answer.into_iter().filter(fails).map(|place| (inquiry, position, place)));
        }
    }
    Ok(used)
}

/// Who answers a probe.
async fn sample(live: &Live, inquiry: &Inquiry, position: usize) -> Result<Vec<Instance>, Failure> {
    let Some(probe) = inquiry.probes.get(position) else { return Ok(Vec::new()) };
    let mut client = Client::new(probe, None, &live.places)?;
    let mut found = Vec::new();
    for _ in 0..probe.enough.unwrap_or(SAMPLE).min(SAMPLE) {
        if let Seen::Answered { service, cluster } = client.send().await.seen {
            let place = (service, cluster);
            if !found.contains(&place) {
                found.push(place);
            }
        }
    }
    Ok(found)
}

/// Asks until the answer is as expected, for as long as that may take.
async fn answer(live: &Live, question: &Question, patience: Duration) -> Result<Judged, Failure> {
    let inquiry = match &question.asked {
        Asked::By(inquiry) => inquiry,
        Asked::Open(why) => return Ok(Judged::Open(why.clone())),
        Asked::Unmet(found) => return Ok(Judged::Unmet(found.clone())),
    };
    let end = Instant::now() + patience;
    let mut tries = 1;
    loop {
        let judged = once(live, inquiry).await?;
        let again = match judged {
            Judged::Unmet(_) if inquiry.wish.uses_up() => tries < TRIES,
            Judged::Unmet(_) => Instant::now() < end,
            Judged::Met | Judged::Open(_) | Judged::More => false,
        };
        if !again {
            return Ok(judged);
        }
        tries += 1;
        sleep(AGAIN).await;
    }
}

/// Asks by each probe once, as often as that takes.
async fn once(live: &Live, inquiry: &Inquiry) -> Result<Judged, Failure> {
    let delay = inquiry.wish.delay();
    if delay.is_some() {
        return together(live, inquiry, delay).await;
    }
    let mut all = Vec::new();
    for probe in &inquiry.probes {
        if let Some(rest) = inquiry.wish.rest() {
            sleep(rest).await;
        }
        let mut client = Client::new(probe, None, &live.places)?;
        let mut seen = Vec::new();
        loop {
            seen.push(client.send().await);
            match inquiry.judge(probe, &seen) {
                Judged::More => {}
                Judged::Met => break,
                judged @ (Judged::Unmet(_) | Judged::Open(_)) => return Ok(judged),
            }
        }
        all.extend(seen);
    }
    Ok(inquiry.conclude(&all))
}

/// Asks by all probes at once, where each answer takes its time.
async fn together(live: &Live, inquiry: &Inquiry, delay: Option<Duration>) -> Result<Judged, Failure> {
    let clients = inquiry.probes.iter().map(|probe| Client::new(probe, delay, &live.places));
    let mut clients: Vec<Client> = clients.collect::<Result<_, _>>()?;
    let seen: Vec<Observation> = join_all(clients.iter_mut().map(Client::send)).await;
    let judged = inquiry.probes.iter().zip(&seen);
    let judged = judged.map(|(probe, seen)| inquiry.judge(probe, std::slice::from_ref(seen)));
    let wrong = judged.into_iter().find(|judged| *judged != Judged::Met);
    Ok(wrong.unwrap_or_else(|| inquiry.conclude(&seen)))
}

fn answered(test: &LiveTest, judged: Vec<Option<Judged>>) -> Answered {
    let (mut findings, mut open) = (Vec::new(), Vec::new());
    for (question, judged) in test.questions.iter().zip(judged) {
        match judged {
            Some(Judged::Met) => {}
            Some(Judged::Unmet(seen)) => findings.push(question.finding(&seen)),
            Some(Judged::Open(why)) => open.push(not_asked(question, why)),
            Some(Judged::More) | None => open.push(not_asked(question, String::from("no answer came of it"))),
        }
    }
    findings.extend(test.findings.iter().cloned());
    Answered {
        name: test.name.clone(),
        span: test.span,
        expectations: test.questions.len() + test.assertions,
        findings,
        open,
    }
}

fn not_asked(question: &Question, why: String) -> Open {
    Open { span: question.span, what: format!("{}, {}", question.call, question.wanted), why }
}
