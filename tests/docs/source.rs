//! What the code of the crate names: its modules, read by Rust's own grammar, tests left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemUse, Macro, UseTree};

use crate::markdown::{read, root};

/// A file of the crate.
#[derive(Debug, Default)]
pub struct Module {
    /// Its path from the top of the repository.
    pub file: String,
    /// Each path it names, imports of groups taken apart; ours begin with `crate`.
    pub paths: BTreeSet<Vec<String>>,
    /// The methods and macros that it calls.
    pub calls: BTreeSet<String>,
    /// Texts.
    pub texts: BTreeSet<String>,
}

impl Module {
    /// The room it belongs to: the file or the folder in `src`.
    pub fn room(&self) -> &str {
        let inside = self.file.strip_prefix("src/").unwrap();
        let first = inside.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The rooms, other than its own, that it names.
    pub fn uses(&self) -> impl Iterator<Item = &str> {
        self.paths
            .iter()
            .filter(|path| path[0] == "crate")
            .filter_map(|path| path.get(1).map(String::as_str))
            .filter(|used| *used != self.room() && rooms().iter().any(|room| room == used))
    }

    /// Whether any path it names has these segments side by side.
    pub fn names(&self, wanted: &[&str]) -> bool {
        self.paths.iter().any(|path| {
            path.windows(wanted.len())
                .any(|some| some.iter().eq(wanted.iter()))
        })
    }
}

/// The rooms: the modules that `src/lib.rs` declares.
pub fn rooms() -> &'static [String] {
    static ROOMS: LazyLock<Vec<String>> = LazyLock::new(|| {
        let reader = Reader::read("src/lib.rs", Vec::new());
        reader.children.into_iter().flatten().collect()
    });
    &ROOMS
}

/// Every file of the library that is not for tests alone.
pub fn modules() -> &'static [Module] {
    // Read once for all tests of this process.
    static MODULES: LazyLock<Vec<Module>> = LazyLock::new(read_all);
    &MODULES
}

fn read_all() -> Vec<Module> {
    let mut modules = Vec::new();
    let mut left = vec![("src/lib.rs".to_owned(), Vec::new())];
    while let Some((file, at)) = left.pop() {
        let reader = Reader::read(&file, at);
        for child in &reader.children {
            let name = child.join("/");
            let candidates = [format!("src/{name}.rs"), format!("src/{name}/mod.rs")];
            let found = candidates.iter().find(|path| root().join(path).is_file());
            let found = found.unwrap_or_else(|| panic!("{file} declares {name}, which is nowhere"));
            left.push((found.clone(), child.clone()));
        }
        modules.push(reader.module);
    }
    assert!(modules.len() > 80, "only {} modules", modules.len());
    modules.sort_by(|one, two| one.file.cmp(&two.file));
    modules
}

/// What each room uses.
pub fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = rooms()
        .iter()
        .map(|room| (room.clone(), BTreeSet::new()))
        .collect();
    for module in modules().iter().filter(|one| one.file != "src/lib.rs") {
        let named = module.uses().map(str::to_owned);
        arrows.get_mut(module.room()).unwrap().extend(named);
    }
    arrows
}

struct Reader {
    module: Module,
    /// The module whose code is read, from the crate's root on.
    at: Vec<String>,
    /// Modules that are files of their own.
    children: Vec<Vec<String>>,
}

impl Reader {
    fn read(file: &str, at: Vec<String>) -> Self {
        let parsed = syn::parse_file(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Self {
            module: Module {
                file: file.to_owned(),
                ..Module::default()
            },
            at,
            children: Vec::new(),
        };
        reader.visit_file(&parsed);
        reader
    }

    fn name(&mut self, segments: &[String]) {
        let mut segments = segments.iter().cloned().peekable();
        let mut path = Vec::new();
        match segments.peek().map(String::as_str) {
            Some("self" | "super") => {
                path.push("crate".to_owned());
                path.extend(self.at.iter().cloned());
                while let Some(first) = segments.next_if(|one| one == "self" || one == "super") {
                    // `super` of the root does not compile; a shorter path is judged more strictly.
                    if first == "super" && path.len() > 1 {
                        path.pop();
                    }
                }
            }
            Some(_) => {}
            None => return,
        }
        path.extend(segments);
        self.module.paths.insert(path);
    }

    fn tree(&mut self, before: &[String], tree: &UseTree) {
        let with = |ident: &syn::Ident| {
            let mut path = before.to_vec();
            // `use room::{self}` names the room.
            if ident != "self" || before.is_empty() {
                path.push(ident.to_string());
            }
            path
        };
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.name(&with(&name.ident)),
            UseTree::Rename(rename) => self.name(&with(&rename.ident)),
            UseTree::Glob(_) => self.name(before),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if let Item::Mod(module) = item {
            self.at.push(module.ident.to_string());
            if module.content.is_some() {
                visit::visit_item(self, item);
            } else {
                self.children.push(self.at.clone());
            }
            self.at.pop();
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.name(&segments);
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.module.calls.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.module.texts.insert(text.value());
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        visit::visit_macro(self, called);
        if let Some(name) = called.path.segments.last() {
            self.module.calls.insert(name.ident.to_string());
        }
        // What a macro is given has no grammar that is known here: its words are looked through.
        let tokens: String = called
            .tokens
            .to_string()
            .chars()
            .map(|char| match char {
                'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | ':' | '.' | '"' => char,
                _ => ' ',
            })
            .collect();
        let words = tokens.replace(" :: ", "::").replace(" . ", " .");
        for word in words.split_whitespace() {
            if let Some(method) = word.strip_prefix('.') {
                self.module.calls.insert(method.to_owned());
            } else if let Some(text) = word.strip_prefix('"') {
                self.module
                    .texts
                    .insert(text.trim_end_matches('"').to_owned());
            } else {
                let path: Vec<String> = word.split("::").map(str::to_owned).collect();
                if path.len() > 1 && path.iter().all(|segment| !segment.is_empty()) {
                    self.name(&path);
                }
            }
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .meta
                    .require_list()
                    .is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
