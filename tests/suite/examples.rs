//! Examples and documentation are compiled: what a reader copies works, and `expected/` is what a build writes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

fn examples() -> Vec<PathBuf> {
    let folder = tools::workspace().join("examples");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("there are examples")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

fn meshc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(tools::binary("meshc"));
    let output = process::run(command.args(arguments).current_dir(folder));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[test]
fn examples_have_no_findings() {
    for example in examples() {
        let (status, said) = meshc(&example, &["check", "mesh.mesh"]);
        assert_eq!(status, Some(0), "{}: {said}", example.display());
        assert!(!said.contains("W0") && !said.contains("E0"), "{}: {said}", example.display());
    }
}

#[test]
fn examples_keep_their_promises() {
    for example in examples() {
        for data_plane in ["envoy", "meshd"] {
            let (status, said) = meshc(&example, &["test", "mesh.mesh", "--data-plane", data_plane]);
            assert_eq!(status, Some(0), "{}: {said}", example.display());
            assert!(said.contains(", 0 failed\n"), "{} has tests: {said}", example.display());
        }
    }
}

/// Copies what git has of a folder of the workspace, and nothing else: keys and trees that somebody made there while
/// trying the example out are not part of it.
fn copy_tracked(folder: &Path, to: &Path) {
    let root = tools::workspace();
    let listed = process::succeed(Command::new("git").current_dir(folder).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--full-name",
    ]));
    let below = folder.strip_prefix(&root).expect("a folder of the workspace");
    let files: Vec<_> = listed.lines().map(PathBuf::from).filter(|file| root.join(file).is_file()).collect();
    assert!(!files.is_empty(), "git lists {}", folder.display());
    for file in files {
        let place = to.join(file.strip_prefix(below).expect("git lists what is below"));
        std::fs::create_dir_all(place.parent().expect("a file has a parent")).expect("created");
        std::fs::copy(root.join(&file), place).expect("copied");
    }
}

/// The examples whose tree is shown; that of the others is long and teaches nothing more.
const SHOWN: [&str; 3] = ["acme", "canary", "single-cluster"];

#[test]
fn expected_output_is_what_a_build_writes() {
    for example in examples() {
        assert!(example.join("README.md").is_file(), "{} has a README", example.display());
        let shown = SHOWN.iter().any(|name| example.ends_with(name));
        assert_eq!(example.join("expected").is_dir(), shown, "{}", example.display());
        if !shown {
            continue;
        }
        let copy = tempfile::tempdir().expect("a temporary directory");
        copy_tracked(&example, copy.path());
        if std::env::var_os("MESH_BLESS").is_some() {
            let (status, said) = meshc(copy.path(), &["build", "mesh.mesh", "-o", "expected"]);
            assert_eq!(status, Some(0), "{}: {said}", example.display());
            std::fs::remove_dir_all(example.join("expected")).expect("the old tree");
            process::succeed(Command::new("cp").arg("-r").arg(copy.path().join("expected")).arg(&example));
            continue;
        }
        let (status, said) = meshc(copy.path(), &["build", "mesh.mesh", "-o", "expected", "--check"]);
        let bless = "if that is what you want, run this test with MESH_BLESS=1";
        assert_eq!(status, Some(0), "{}: {bless}\n{said}", example.display());
    }
}

/// The fixture that tests change is the example, with everything written out.
#[test]
fn the_example_of_acme_builds_what_it_does_written_out() {
    let trees = [mesh_tests::build::acme(), mesh_tests::build::example("acme")].map(|text| {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("mesh.mesh"), text).expect("writable");
        let (status, said) = meshc(folder.path(), &["build", "mesh.mesh", "-o", "tree"]);
        assert_eq!(status, Some(0), "{said}");
        folder
    });
    let [long, short] = trees.map(|folder| mesh_tests::build::tree(&folder.path().join("tree")));
    assert!(long.len() > 50, "{}", long.len());
    assert!(long == short, "the trees differ");
}

/// The lines and words of a mesh without its `test` blocks, and those of the blocks.
fn counted(text: &str) -> [usize; 4] {
    let begin = text.find("\ntest ").map_or(text.len(), |at| at + 1);
    let (mesh, tests) = text.split_at(begin);
    // The empty line before the tests is theirs.
    let count = |part: &str| [part.lines().count(), part.split_whitespace().count()];
    let ([lines, words], [test_lines, test_words]) = (count(mesh.trim_end()), count(tests));
    [lines, words, test_lines, test_words]
}

/// `examples/README.md` has a table of what each example takes, which is counted here. `MESH_BLESS=1` writes the counts.
#[test]
fn the_table_of_lines_and_words_is_counted() {
    let path = tools::workspace().join("examples/README.md");
    let text = std::fs::read_to_string(&path).expect("there is a table");
    let mut expected = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name =
            cells.first().and_then(|cell| cell.strip_prefix('[')).and_then(|cell| cell.split(']').next());
        let (Some(name), [first, lines, words, ..]) = (name.filter(|_| cells.len() == 8), cells.as_slice())
        else {
            expected.push_str(line);
            expected.push('\n');
            continue;
        };
        let [now_lines, now_words, test_lines, test_words] = counted(&mesh_tests::build::example(name));
        let before: usize = words.parse().expect("a number of words");
        assert!(now_words * 100 <= before * 60, "{name}: {now_words} words of {before} are more than 60 %");
        let share = (now_words * 100).div_ceil(before);
        expected.push_str(&format!(
            "| {first} | {lines} | {words} | {now_lines} | {now_words} | {share} % | {test_lines} | {test_words} |\n"
        ));
        found.push(name.to_owned());
    }
    let folders: Vec<String> = examples()
        .iter()
        .map(|folder| folder.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, folders, "each example has a line, in their order");
    if std::env::var_os("MESH_BLESS").is_some() {
        std::fs::write(&path, &expected).expect("writable");
    } else {
        assert_eq!(text, expected, "MESH_BLESS=1 counts");
    }
}

/// The code blocks of a language in a Markdown text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == opening {
            found.push(lines.by_ref().take_while(|line| line.trim() != "```").fold(
                String::new(),
                |mut all, line| {
                    all.push_str(line);
                    all.push('\n');
                    all
                },
            ));
        }
    }
    found
}

#[test]
fn the_readme_compiles() {
    let readme = std::fs::read_to_string(tools::workspace().join("README.md")).expect("there is a README");
    let blocks = blocks(&readme, "mesh");
    assert!(!blocks.is_empty(), "the README shows the language");
    for block in blocks {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("mesh.mesh"), &block).expect("writable");
        let (status, said) = meshc(folder.path(), &["check", "mesh.mesh"]);
        assert_eq!((status, said.as_str()), (Some(0), "mesh.mesh: no errors, no warnings\n"), "in\n{block}");
    }
}

/// The mistake that the README asks a reader to make is found, in the words that the README shows.
#[test]
fn the_readme_shows_what_a_mistake_looks_like() {
    let readme = std::fs::read_to_string(tools::workspace().join("README.md")).expect("there is a README");
    let (before, after) = ("calls = [catalog]", "calls = [catalog, simple-backend]");
    assert!(readme.contains("`calls = [catalog, simple-backend]`"), "the README says what to change");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let source = mesh_tests::build::example("acme").replace(before, after);
    std::fs::create_dir_all(folder.path().join("examples/acme")).expect("writable");
    std::fs::write(folder.path().join("examples/acme/mesh.mesh"), source).expect("writable");
    let (status, said) = meshc(folder.path(), &["check", "examples/acme/mesh.mesh"]);
    assert_eq!(status, Some(1), "{said}");
    let shown = blocks(&readme, "console");
    let shown: Vec<&str> =
        shown.iter().flat_map(|block| block.lines()).filter(|line| !line.starts_with(['$', '…'])).collect();
    assert!(shown.len() >= 3, "{shown:?}");
    for line in shown {
        assert!(said.lines().any(|found| found == line), "the README shows {line:?}, but meshc says\n{said}");
    }
}

/// A checkout as a new user has it after the build: the example, git, and the programs where the README says they are.
struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let checkout = Self { folder };
        copy_tracked(&tools::workspace().join("examples/acme"), &checkout.path("checkout/examples/acme"));
        std::fs::write(checkout.path("checkout/.gitignore"), "/target\n").expect("writable");
        for folder in ["checkout/target/debug", "home", "run", "bin"] {
            std::fs::create_dir_all(checkout.path(folder)).expect("created");
        }
        for program in ["meshc", "meshd"] {
            let place = checkout.path("checkout/target/debug").join(program);
            std::fs::hard_link(tools::binary(program), &place)
                .or_else(|_| std::fs::copy(tools::binary(program), &place).map(|_| ()))
                .expect("the program is where the README has it");
        }
        // There is no cluster here: what it would get is read, and has to be something.
        let kubectl = "#!/bin/sh\necho \"kubectl $*\"\nif [ \"$4\" = - ]; then grep -c 'kind: Secret'; else test -f \"$4/kustomization.yaml\"; fi\n";
        std::fs::write(checkout.path("bin/kubectl"), kubectl).expect("writable");
        process::succeed(Command::new("chmod").arg("+x").arg(checkout.path("bin/kubectl")));
        for words in [
            &["init", "--quiet"][..],
            &["add", "."],
            &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "a"],
        ] {
            process::succeed(Command::new("git").args(words).current_dir(checkout.path("checkout")));
        }
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A shell in the checkout. Meshes that other tests run are out of its sight.
    fn bash(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", script]).current_dir(self.path("checkout"));
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("HOME", self.path("home")).env("XDG_RUNTIME_DIR", self.path("run")).stdin(Stdio::null());
        command
    }
}

/// `meshc up` as in the README, without a command: it runs until Ctrl-C.
struct Up {
    child: Child,
    ingress: String,
    call: String,
}

impl Up {
    /// Starts it and reads the two addresses that the README asks for from what it prints.
    fn start(checkout: &Checkout, line: &str) -> Self {
        let mut child =
            checkout.bash(&format!("exec {line}")).stdout(Stdio::piped()).spawn().expect("bash starts");
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut up = Self { child, ingress: String::new(), call: String::new() };
        let mut heading = String::new();
        while up.ingress.is_empty() || up.call.is_empty() {
            let line =
                lines.recv_timeout(Duration::from_secs(120)).expect("the mesh comes up and says where it is");
            if let Some((_, address)) = line.split_once(" http://") {
                let address = address.trim_end_matches('/').to_owned();
                if heading.contains("west.ingress") {
                    up.ingress = address;
                } else if heading.contains("webapp in west calls istioinaction.catalog") {
                    up.call = address;
                }
            } else {
                heading = line;
            }
        }
        up
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        process::signal(self.child.id(), "INT");
        process::wait(&mut self.child, Duration::from_secs(30));
    }
}

/// The README's tour, command by command, as a new user would copy it.
#[test]
fn the_tour_of_the_readme_works_and_leaves_nothing_in_the_checkout() {
    let readme = std::fs::read_to_string(tools::workspace().join("README.md")).expect("there is a README");
    let (before, tour) = readme.split_once("## Five minutes").expect("the tour");
    let tour = tour.split("\n## ").next().unwrap_or_default();
    let first = blocks(before, "sh").concat();
    let up = first
        .lines()
        .find_map(|line| line.split_once(" && ")?.1.split('#').next())
        .expect("the first command");
    let shell = blocks(tour, "sh");
    let [traffic, trust] = shell.as_slice() else { panic!("two blocks of commands: {shell:?}") };
    let checkout = Checkout::new();
    let running = Up::start(&checkout, up.trim());

    let traffic = traffic
        .replace("ingress=127.0.0.1:PORT", &format!("ingress={}", running.ingress))
        .replace("call=127.0.0.1:PORT", &format!("call={}", running.call))
        .replace("curl ", "curl --silent --show-error --max-time 20 --write-out '\\n' ");
    let said = process::succeed(&mut checkout.bash(&traffic));
    let answers: Vec<serde_json::Value> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(serde_json::Value::is_object)
        .collect();
    let clusters: Vec<_> =
        answers.iter().map(|answer| answer["cluster"].as_str().unwrap_or_default()).collect();
    assert_eq!(clusters, ["west", "east", "east", "east"], "{said}");
    assert_eq!(answers[2]["caller"], "spiffe://cluster.local/ns/istioinaction/sa/webapp", "{said}");
    assert!(said.contains("HTTP/1.1 429"), "{said}");

    let edit = "sed -i 's/calls = \\[catalog\\]/calls = [catalog, simple-backend]/' examples/acme/mesh.mesh";
    process::succeed(&mut checkout.bash(edit));
    for block in blocks(tour, "console") {
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let output =
                process::run(&mut checkout.bash(&format!("export PATH=$PWD/target/debug:$PATH; {line}")));
            let refused = line.starts_with("meshc check");
            assert_eq!(output.status.code(), Some(i32::from(refused)), "{line}: {output:?}");
        }
    }

    let trust = format!("export PATH=$PWD/target/debug:$PATH\n{trust}");
    let said = process::succeed(&mut checkout.bash(&trust));
    assert!(said.contains("kubectl apply --server-side -k out/west"), "{said}");
    assert!(said.contains("kubectl apply --server-side -f -\n3"), "three identities in west: {said}");
    let left = process::succeed(&mut checkout.bash("git status --porcelain --ignored -- . ':!target'"));
    assert_eq!(left, "", "nothing is left in the checkout");
    assert!(checkout.path("home/acme/keys/root/key.pem").is_file(), "the keys are in the copy");
}

#[test]
fn links_of_the_documents_lead_somewhere() {
    let root = tools::workspace();
    let mut broken = Vec::new();
    let listed = process::succeed(Command::new("git").current_dir(&root).args(["ls-files", "*.md"]));
    for file in listed.lines().filter(|file| !file.contains("/expected/")) {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        for (_, rest) in text.match_indices("](").map(|(at, _)| text.split_at(at + 2)) {
            let target = rest.split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let relative = !path.is_empty() && !path.contains("://") && !path.contains(' ');
            let here = root.join(file).parent().map(Path::to_path_buf).unwrap_or_default();
            if relative && !here.join(path).exists() {
                broken.push(format!("{file}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// What the READMEs of the demonstrations say happens, on one machine.
#[test]
fn the_demonstrations_run_in_three_clusters() {
    let up = |name: &str| Mesh::up(&mesh_tests::build::example(name), DataPlane::Meshd);
    let who = |answer: &Response| {
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("{} in {}", answer.field("service"), answer.field("cluster"))
    };

    let bookinfo = up("bookinfo");
    let reviews =
        |request: &Request| who(&bookinfo.call("WEST_BOOKINFO_PRODUCTPAGE__BOOKINFO_REVIEWS_9080", request));
    let anybody = Request::get("reviews", "/");
    assert_eq!(reviews(&anybody.clone().header("end-user", "jason")), "bookinfo.reviews.v3 in north");
    let page = bookinfo.ingress("WEST_INGRESS", &Request::get("bookinfo.example", "/"));
    assert_eq!(who(&page), "bookinfo.productpage in west");
    let ratings = Request::get("ratings", "/");
    let of_a_version = who(&bookinfo.call("NORTH_BOOKINFO_REVIEWS_V3__BOOKINFO_RATINGS_9080", &ratings));
    assert_eq!(of_a_version, "bookinfo.ratings in north");
    for cluster in ["west", "east", "north"] {
        bookinfo.fail("reviews.v1", cluster, "gone");
    }
    process::eventually("the second version has the share of the first", Duration::from_secs(30), || {
        let answers =
            (0..20).map(|_| bookinfo.call("WEST_BOOKINFO_PRODUCTPAGE__BOOKINFO_REVIEWS_9080", &anybody));
        let all: Vec<Response> = answers.collect();
        all.iter().all(|one| one.status == 200 && one.field("service") == "bookinfo.reviews.v2").then_some(())
    });
    drop(bookinfo);

    let boutique = up("online-boutique");
    let shop = || boutique.ingress("WEST_INGRESS", &Request::get("boutique.example", "/"));
    assert_eq!(who(&shop()), "boutique.frontend in west");
    boutique.fail("frontend", "west", "gone");
    process::eventually("the other front takes over", Duration::from_secs(30), || {
        (shop().status == 200 && shop().field("cluster") == "east").then_some(())
    });
    drop(boutique);

    let emojivoto = up("emojivoto");
    let vote = emojivoto.call("THREE_EMOJIVOTO_VOTE_BOT__EMOJIVOTO_WEB_80", &Request::get("web", "/"));
    assert_eq!(who(&vote), "emojivoto.web in one");
    assert_eq!(vote.field("caller"), "spiffe://emojivoto.example/ns/emojivoto/sa/vote-bot");
}
