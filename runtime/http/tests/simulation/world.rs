//! A simulated world: clients with their connections, servers, and what each of them saw.

use crate::dice::Dice;
use crate::pipe::{End, Manners, Meter, pipe};
use crate::plan::{Content, Made, Plan, Serves, Wants, Weather, trailers};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Either, Empty};
use meshd_http::{BodyError, Error, Incoming, Limits, client, server};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::{JoinHandle, spawn_local};

/// The most that a driver holds of a body that is read or written, in bytes: what is read at once, and what is collected before
/// it is written with a piece behind it. A head fits in what is left.
const HELD: u64 = 64 * 1024;

/// A number from one to one of several bounds.
trait UpTo {
    fn up_to(&mut self, bounds: &[usize]) -> usize;
}

impl UpTo for Dice {
    fn up_to(&mut self, bounds: &[usize]) -> usize {
        let bound = bounds[self.below(bounds.len())];
        1 + self.below(bound)
    }
}

/// What became of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// How often a server was asked.
    asked: usize,
    /// Whether the client was told that nothing of it was sent.
    is_unsent: bool,
    pub(crate) is_answered: bool,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) weather: Weather,
    dice: RefCell<Dice>,
    exchanges: RefCell<BTreeMap<u64, Exchange>>,
    /// Everything that runs beside the clients, which must come to an end.
    tasks: RefCell<Vec<JoinHandle<()>>>,
    /// How many connections were opened.
    pub(crate) connections: Cell<usize>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Rc<Self> {
        let mut dice = Dice::new(seed);
        let weather = if dice.one_in(3) { Weather::Fair } else { Weather::Foul };
        Rc::new(World {
            seed,
            weather,
            dice: RefCell::new(dice),
            exchanges: RefCell::default(),
            tasks: RefCell::default(),
            connections: Cell::new(0),
        })
    }

    pub(crate) fn plan(&self, number: u64) -> Plan {
        Plan::new(self.seed, number, self.weather)
    }

    pub(crate) fn exchange<T>(&self, number: u64, change: impl FnOnce(&mut Exchange) -> T) -> T {
        change(self.exchanges.borrow_mut().entry(number).or_default())
    }

    fn beside(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().push(spawn_local(task));
    }

    /// A new connection, and a server at its other end.
    pub(crate) fn open(self: &Rc<Self>) -> End {
        self.connections.set(self.connections.get() + 1);
        let dice = &mut *self.dice.borrow_mut();
        let breaks = self.weather == Weather::Foul && dice.one_in(4);
        let manners = Manners {
            capacity: dice.up_to(&[100, 10_000, 200_000]),
            late: [2, 20, 1_000][dice.below(3)],
            piece: dice.up_to(&[10, 1_000, 100_000]),
            breaks: breaks.then(|| 1 + dice.below(20_000) as u64),
            is_vectored: dice.one_in(2),
        };
        // A large body over a narrow connection takes many steps and shows nothing new.
        let manners = Manners {
            capacity: manners.capacity.max(64),
            piece: manners.piece.max(9),
            late: if manners.piece < 1_000 || manners.capacity < 1_000 {
                manners.late.max(20)
            } else {
                manners.late
            },
            ..manners
        };
        let (ours, theirs) = pipe(manners, Dice::new(dice.next()));
        let meter = theirs.meter();
        let world = Rc::clone(self);
        let service = move |request| serve(Rc::clone(&world), request, meter.clone());
        let serving = server::Connection::new(theirs, service, Limits::default());
        let is_fair = self.weather == Weather::Fair;
        let drains = (!is_fair && dice.one_in(6)).then(|| Duration::from_millis(dice.below(500) as u64));
        self.beside(async move {
            let mut serving = serving;
            let end = match drains {
                None => serving.await,
                Some(time) => match tokio::time::timeout(time, &mut serving).await {
                    Ok(end) => end,
                    Err(_) => {
                        serving.close();
                        serving.await
                    }
                },
            };
            assert!(!is_fair || end.is_ok(), "{end:?}");
        });
        ours
    }

    /// All the others are done once the clients are, and every exchange is as it was planned.
    pub(crate) async fn judge(&self) {
        loop {
            let Some(task) = self.tasks.borrow_mut().pop() else { break };
            if let Err(error) = task.await {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        for (number, exchange) in &*self.exchanges.borrow() {
            assert!(exchange.asked <= 1, "request {number} was seen {} times", exchange.asked);
            assert!(!exchange.is_unsent || exchange.asked == 0, "request {number} was sent after all");
            assert!(!exchange.is_answered || exchange.asked == 1, "the answer {number} came from nowhere");
            assert!(self.weather == Weather::Foul || exchange.is_answered, "request {number} has no answer");
        }
    }
}

/// What came of a body.
struct Read {
    bytes: Vec<u8>,
    has_trailers: bool,
    is_complete: bool,
}

/// Reads a body, or so many pieces of it. What of it was read and not given is bounded.
async fn read(mut body: Incoming, pieces: usize, meter: Option<&Meter>) -> Read {
    let mut read = Read { bytes: Vec::new(), has_trailers: false, is_complete: body.is_end_stream() };
    let before = meter.map_or(0, Meter::read);
    for _ in 0..pieces {
        let left = body.size_hint().exact();
        match body.frame().await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    assert!(left.is_none_or(|left| data.len() as u64 <= left), "more than was announced");
                    read.bytes.extend_from_slice(&data);
                }
                Err(frame) => {
                    assert_eq!(frame.into_trailers().ok(), Some(trailers()));
                    read.has_trailers = true;
                }
            },
            Some(Err(_)) => break,
            None => {
                read.is_complete = true;
                break;
            }
        }
        // What frames the pieces of others is read, too.
        if let (Some(meter), Some(_)) = (meter, left) {
            let held = (meter.read() - before).saturating_sub(read.bytes.len() as u64);
            assert!(held <= HELD, "{held} bytes were read ahead");
        }
    }
    read
}

/// What was read is what was sent, and is complete only if that was.
fn check(read: &Read, content: Content) {
    assert!(content.begins(&read.bytes), "{} bytes that were not sent", read.bytes.len());
    if read.is_complete {
        assert!(content.is(&read.bytes), "{} of {} bytes look complete", read.bytes.len(), content.length);
        assert!(content.breaks.is_none(), "a body that broke off looks complete");
        assert_eq!(read.has_trailers, content.has_trailers, "trailers");
    }
}

type Body = Either<Either<Made, Echoed>, Nothing>;
type Echoed = http_body_util::combinators::MapErr<Incoming, fn(Error) -> BodyError>;
type Nothing =
    http_body_util::combinators::MapErr<Empty<bytes::Bytes>, fn(std::convert::Infallible) -> BodyError>;

fn number(request: &Request<Incoming>) -> u64 {
    request.uri().path().trim_start_matches('/').parse().expect("a number")
}

/// What a server answers.
async fn serve(world: Rc<World>, request: Request<Incoming>, meter: Meter) -> Response<Body> {
    let number = number(&request);
    let plan = world.plan(number);
    world.exchange(number, |exchange| exchange.asked += 1);
    assert_eq!(*request.method(), plan.method.method());
    let fair = world.weather == Weather::Fair;
    let mut body = Some(request.into_body());
    let reads = |body: Incoming, pieces: usize, meter: Meter| async move {
        let read = read(body, pieces, Some(&meter)).await;
        check(&read, plan.request);
        assert!(!fair || pieces < usize::MAX || read.is_complete, "a request is lost");
    };
    match plan.serves {
        Serves::All => reads(body.take().expect("a body"), usize::MAX, meter.clone()).await,
        Serves::Beside => world.beside(reads(body.take().expect("a body"), usize::MAX, meter.clone())),
        Serves::BesideSome(some) => world.beside(reads(body.take().expect("a body"), some, meter.clone())),
        Serves::Early => drop(body.take()),
        Serves::Never => {
            let read = read(body.take().expect("a body"), usize::MAX, Some(&meter)).await;
            check(&read, plan.request);
            // Who sees that the client broke off has no reason to wait.
            if read.is_complete {
                std::future::pending::<()>().await;
            }
        }
        Serves::Echo => {}
    }
    if plan.thinks > 0 {
        tokio::time::sleep(Duration::from_millis(plan.thinks)).await;
    }
    let body = match body {
        Some(body) => {
            let broken: fn(Error) -> BodyError = BodyError::from;
            Either::Left(Either::Right(body.map_err(broken)))
        }
        None => Either::Left(Either::Left(made(plan.answer, meter))),
    };
    let never: fn(std::convert::Infallible) -> BodyError = |never| match never {};
    let body = if plan.has_body() { body } else { Either::Right(Empty::new().map_err(never)) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(plan.status).expect("a status");
    response.headers_mut().insert("x-number", number.into());
    response
}

/// A body of which no more than a bounded part is asked for before it is written.
fn made(content: Content, meter: Meter) -> Made {
    let before = meter.written();
    let mut given = 0;
    Made::new(content, move |count| {
        let held = u64::saturating_sub(given, meter.written() - before);
        assert!(held <= HELD, "{held} bytes wait to be written");
        given += count as u64;
    })
}

/// A client: it asks one thing after the other, over one connection while that lasts.
pub(crate) async fn client(world: Rc<World>, numbers: std::ops::Range<u64>) {
    let mut connection: Option<(client::Connection<End>, Meter)> = None;
    let (mut stays, mut is_again) = (false, false);
    let mut numbers = numbers.peekable();
    while let Some(&number) = numbers.peek() {
        let plan = world.plan(number);
        world.exchange(number, |_| ());
        if let Some((open, _)) = &connection {
            let is_ready = open.ready().await;
            if stays && world.weather == Weather::Fair {
                assert!(
                    is_ready,
                    "the connection does not carry request {number} after {:?}",
                    world.plan(number - 1)
                );
            }
            if !is_ready {
                connection = None;
            }
        }
        let (open, meter) = connection.get_or_insert_with(|| {
            let end = world.open();
            let meter = end.meter();
            (client::Connection::new(end, Limits::default()), meter)
        });
        let mut request = Request::new(made(plan.request, meter.clone()));
        *request.method_mut() = plan.method.method();
        *request.uri_mut() = format!("/{number}").parse().expect("a path");
        if plan.expects {
            request.headers_mut().insert("expect", http::HeaderValue::from_static("100-continue"));
        }
        let exchange = ask(&world, number, plan, open.send(request), meter);
        let patience = match plan.wants {
            Wants::Patience(time) => time,
            Wants::All | Wants::Pieces(_) => 10_000_000,
        };
        let is_over = tokio::time::timeout(Duration::from_millis(patience), pin!(exchange)).await;
        stays = is_over == Ok(true) && plan.is_read();
        // The server may have ended the connection while nobody looked. Who knows that nothing was sent asks again.
        let is_unsent = world.exchange(number, |exchange| exchange.is_unsent);
        if is_unsent && world.weather == Weather::Fair {
            assert!(!std::mem::replace(&mut is_again, true), "request {number} is never sent");
            world.exchange(number, |exchange| exchange.is_unsent = false);
        } else {
            is_again = false;
            numbers.next();
        }
    }
}

/// An exchange; whether it came to its end.
async fn ask(
    world: &World,
    number: u64,
    plan: Plan,
    answer: impl Future<Output = Result<Response<Incoming>, client::Unanswered>>,
    meter: &Meter,
) -> bool {
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(unanswered) => {
            // Early answers may end a connection at any time.
            assert!(
                world.weather == Weather::Foul || unanswered.is_unsent,
                "request {number} is lost: {unanswered}"
            );
            world.exchange(number, |exchange| exchange.is_unsent = unanswered.is_unsent);
            return false;
        }
    };
    let own = answer.headers().get("x-number").and_then(|own| own.to_str().ok()?.parse().ok());
    assert_eq!(own, Some(number), "an answer to something else");
    assert_eq!(answer.status().as_u16(), plan.status);
    let pieces = match plan.wants {
        Wants::Pieces(pieces) => pieces,
        Wants::All | Wants::Patience(_) => usize::MAX,
    };
    let read = read(answer.into_body(), pieces, Some(meter)).await;
    if !plan.has_body() {
        assert!(read.bytes.is_empty());
        world.exchange(number, |exchange| exchange.is_answered = true);
        return true;
    }
    check(&read, plan.expected());
    let is_read = read.is_complete;
    world.exchange(number, |exchange| exchange.is_answered = is_read);
    is_read
}
