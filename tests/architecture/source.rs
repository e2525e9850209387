//! Rust source as tokens: which paths a file names, where, and whether a test
//! does.

use std::{collections::BTreeSet, fs, path::Path};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file.
pub(crate) struct Source {
    /// From the package's root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// A path that a file names.
#[derive(Debug)]
pub(crate) struct Mention {
    /// Absolute: `crate::a::B` is `["crate", "a", "B"]`, another crate's begins
    /// with its name. A glob ends with `*`.
    pub(crate) path: Vec<String>,
    /// From 1.
    pub(crate) line: usize,
    /// Only tests are compiled from it.
    pub(crate) in_tests: bool,
}

/// One token with its place, groups opened.
#[derive(Debug)]
pub(crate) struct Token {
    /// Its text; a group's parentheses are tokens of their own.
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
    /// Only tests are compiled from it.
    pub(crate) in_tests: bool,
}

impl Source {
    /// Every `.rs` file below `folder`, by path.
    pub(crate) fn read_all(folder: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    found.push(Self {
                        path: path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"),
                        text: fs::read_to_string(&path).unwrap(),
                    });
                }
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// The module that the file is: `["plan", "reference"]`; nothing for the
    /// library's root, `["main"]` for the program's.
    pub(crate) fn module(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = if path == "lib" { "" } else { path };
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Whether the whole file is compiled for tests only, as its name says.
    fn is_of_tests(&self) -> bool {
        self.module().iter().any(|part| part == "tests")
    }

    fn trees(&self) -> Vec<TokenTree> {
        let stream: TokenStream =
            self.text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.path));
        stream.into_iter().collect()
    }

    /// Every token, comments aside.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        let mut tokens = Vec::new();
        flatten(&self.trees(), self.is_of_tests(), &mut tokens);
        tokens
    }

    /// Every path of two parts or more, and every import. `modules` are all the
    /// modules that exist, so that a path which begins with a child is known.
    pub(crate) fn mentions(&self, modules: &BTreeSet<Vec<String>>) -> Vec<Mention> {
        let mut walk = Walk { module: self.module(), modules, mentions: Vec::new() };
        walk.trees(&self.trees(), self.is_of_tests());
        walk.mentions
    }
}

/// Where the test code of one level of tokens begins and ends: from
/// `#[cfg(test)]` to the end of the item that follows it.
struct Gate {
    all: bool,
    item: bool,
}

impl Gate {
    fn new(all: bool) -> Self {
        Self { all, item: false }
    }

    /// Whether this token is of a test. To be asked of each in turn.
    fn admit(&mut self, before: Option<&TokenTree>, token: &TokenTree) -> bool {
        let after_hash = matches!(before, Some(TokenTree::Punct(hash)) if hash.as_char() == '#');
        if let TokenTree::Group(group) = token
            && after_hash
        {
            let text: String = group.stream().to_string().split_whitespace().collect();
            self.item |= text == "test" || text.starts_with("tokio::test");
            self.item |= text.starts_with("cfg(test") || text.starts_with("cfg(all(test");
        }
        let is_of_test = self.all || self.item;
        let ends = match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(punct) => punct.as_char() == ';',
            _ => false,
        };
        self.item &= !ends;
        is_of_test
    }
}

fn flatten(trees: &[TokenTree], all_of_tests: bool, out: &mut Vec<Token>) {
    let mut gate = Gate::new(all_of_tests);
    for (at, tree) in trees.iter().enumerate() {
        let in_tests = gate.admit(at.checked_sub(1).map(|at| &trees[at]), tree);
        let TokenTree::Group(group) = tree else {
            let line = tree.span().start().line;
            out.push(Token { text: tree.to_string(), line, in_tests });
            continue;
        };
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => ("", ""),
        };
        let line = group.span_open().start().line;
        out.push(Token { text: open.to_owned(), line, in_tests });
        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
        flatten(&inner, in_tests, out);
        let line = group.span_close().start().line;
        out.push(Token { text: close.to_owned(), line, in_tests });
    }
}

struct Walk<'a> {
    module: Vec<String>,
    modules: &'a BTreeSet<Vec<String>>,
    mentions: Vec<Mention>,
}

impl Walk<'_> {
    fn trees(&mut self, trees: &[TokenTree], all_of_tests: bool) {
        let mut gate = Gate::new(all_of_tests);
        let mut at = 0;
        let mut asked = 0;
        let mut in_tests = all_of_tests;
        while at < trees.len() {
            while asked <= at {
                let before = asked.checked_sub(1).map(|before| &trees[before]);
                in_tests = gate.admit(before, &trees[asked]);
                asked += 1;
            }
            at = self.one(trees, at, in_tests);
        }
    }

    /// Reads what begins at `at`; gives the place after it.
    fn one(&mut self, trees: &[TokenTree], at: usize, in_tests: bool) -> usize {
        match &trees[at] {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                self.trees(&inner, in_tests);
                at + 1
            }
            TokenTree::Ident(word) if *word == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                    (trees.get(at + 1), trees.get(at + 2))
                {
                    let inner: Vec<TokenTree> = body.stream().into_iter().collect();
                    self.module.push(name.to_string());
                    self.trees(&inner, in_tests);
                    self.module.pop();
                    return at + 3;
                }
                at + 1
            }
            // `use<'a>` is a bound and no import.
            TokenTree::Ident(word) if *word == "use" && !is_punct(trees.get(at + 1), '<') => {
                let length = trees[at..].iter().take_while(|tree| !is(tree, ';')).count();
                self.import(&trees[at + 1..at + length], &[], in_tests);
                at + length
            }
            TokenTree::Ident(word) => {
                let (path, after) = path_at(trees, at);
                if path.len() > 1 {
                    self.mention(&path, word.span().start().line, in_tests);
                }
                after
            }
            _ => at + 1,
        }
    }

    /// A use tree: `a::{b, c as d, e::*}` after `prefix`.
    fn import(&mut self, trees: &[TokenTree], prefix: &[String], in_tests: bool) {
        for branch in trees.split(|tree| is(tree, ',')) {
            let mut path = prefix.to_vec();
            let mut line = 0;
            let mut grouped = false;
            for tree in branch {
                match tree {
                    TokenTree::Ident(word) if *word == "as" => break,
                    TokenTree::Ident(word) => {
                        line = word.span().start().line;
                        // `{self}` names what stands before it.
                        if *word != "self" || path.is_empty() {
                            path.push(word.to_string());
                        }
                    }
                    TokenTree::Punct(star) if star.as_char() == '*' => {
                        line = star.span().start().line;
                        path.push("*".to_owned());
                    }
                    TokenTree::Group(group) => {
                        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.import(&inner, &path, in_tests);
                        grouped = true;
                    }
                    _ => {}
                }
            }
            if !grouped && line > 0 {
                self.mention(&path, line, in_tests);
            }
        }
    }

    fn mention(&mut self, path: &[String], line: usize, in_tests: bool) {
        let path = self.resolve(path);
        self.mentions.push(Mention { path, line, in_tests });
    }

    /// Makes a path absolute, as the compiler would.
    fn resolve(&self, path: &[String]) -> Vec<String> {
        let of_program = self.module.first().is_some_and(|first| first == "main");
        let mut base = vec!["crate".to_owned()];
        match path[0].as_str() {
            "sidecall" => base.extend_from_slice(&path[1..]),
            "crate" if of_program => {
                base.push("main".to_owned());
                base.extend_from_slice(&path[1..]);
            }
            "crate" => base.extend_from_slice(&path[1..]),
            "self" | "super" => {
                let ups = path.iter().filter(|part| *part == "super").count();
                let rest = path.iter().skip_while(|part| *part == "super" || *part == "self");
                base.extend_from_slice(&self.module[..self.module.len().saturating_sub(ups)]);
                base.extend(rest.cloned());
            }
            first => {
                let mut child = self.module.clone();
                child.push(first.to_owned());
                if !self.modules.contains(&child) {
                    return path.to_vec();
                }
                base.extend_from_slice(&self.module);
                base.extend_from_slice(path);
            }
        }
        base
    }
}

/// The path that begins at the word at `at`, and the place after it.
fn path_at(trees: &[TokenTree], at: usize) -> (Vec<String>, usize) {
    let mut path = vec![trees[at].to_string()];
    let mut after = at + 1;
    while is_punct(trees.get(after), ':')
        && is_punct(trees.get(after + 1), ':')
        && let Some(TokenTree::Ident(word)) = trees.get(after + 2)
    {
        path.push(word.to_string());
        after += 3;
    }
    (path, after)
}

fn is_punct(tree: Option<&TokenTree>, expected: char) -> bool {
    tree.is_some_and(|tree| is(tree, expected))
}

fn is(tree: &TokenTree, expected: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == expected)
}
