//! The modules of the workspace, parsed as Rust, without their tests: what they name, import and call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemUse, Macro, UseTree, Visibility};

use crate::markdown::{read, root};

/// A source file of a crate of the workspace.
#[derive(Debug, Default)]
pub struct Module {
    /// Its path from the top of the repository.
    pub file: String,
    /// The folder of its crate's sources: `src`, or `crates/NAME/src`.
    pub root: String,
    /// The path of the module in the crate, such as `["aws", "credentials"]`; empty for the root.
    pub at: Vec<String>,
    /// The paths that it names, with grouped imports expanded; those of its own crate begin with `crate`.
    pub paths: BTreeSet<Vec<String>>,
    /// The paths that it re-exports by `pub use`.
    reexports: BTreeSet<Vec<String>>,
    /// The imported names with their paths.
    imports: BTreeMap<String, Vec<String>>,
    /// The methods and macros that it calls.
    pub calls: BTreeSet<String>,
    /// String literals.
    pub texts: BTreeSet<String>,
}

impl Module {
    /// Its top-level module, such as `aws`, or the name of the crate if it is not the daemon.
    pub fn top(&self) -> &str {
        match self.root.strip_prefix("crates/") {
            Some(rest) => rest.trim_end_matches("/src"),
            None => self.at.first().map_or("lib", String::as_str),
        }
    }

    /// The modules of its own crate that it uses, with re-exports followed to the definition.
    pub fn uses(&self) -> BTreeSet<Vec<String>> {
        self.paths
            .difference(&self.reexports)
            .filter_map(|path| resolve(self, path, 8))
            .filter(|used| *used != self.at)
            .collect()
    }

    /// Whether it uses a top-level module of its own crate.
    pub fn uses_top(&self, top: &str) -> bool {
        self.uses()
            .iter()
            .any(|used| used.first().is_some_and(|first| first == top))
    }

    /// Whether a path that it names contains these segments in a row.
    pub fn names(&self, wanted: &[&str]) -> bool {
        self.paths.iter().any(|path| {
            path.windows(wanted.len())
                .any(|some| some.iter().eq(wanted.iter()))
        })
    }
}

/// The module that defines what `path` names, or `None` if it is of another crate.
fn resolve(module: &Module, path: &[String], depth: u8) -> Option<Vec<String>> {
    let find = |at: &[String]| {
        modules()
            .iter()
            .find(|one| one.root == module.root && one.at == at)
    };
    let (mut at, rest) = if path[0] == "crate" {
        (Vec::new(), &path[1..])
    } else {
        // A child module can be named without `self::`.
        let child: Vec<String> = [module.at.as_slice(), &path[..1]].concat();
        find(&child)?;
        (module.at.clone(), path)
    };
    for (index, segment) in rest.iter().enumerate() {
        let child: Vec<String> = [at.as_slice(), std::slice::from_ref(segment)].concat();
        if find(&child).is_some() {
            at = child;
            continue;
        }
        let here = find(&at)?;
        if let Some(target) = here.imports.get(segment).filter(|_| depth > 0)
            && at != module.at
        {
            let target = [target.as_slice(), &rest[index + 1..]].concat();
            return resolve(here, &target, depth - 1);
        }
        break;
    }
    Some(at)
}

/// All modules of all crates, except those for tests only.
pub fn modules() -> &'static [Module] {
    static MODULES: LazyLock<Vec<Module>> = LazyLock::new(read_all);
    &MODULES
}

fn read_all() -> Vec<Module> {
    let mut roots = vec!["src".to_owned()];
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        roots.push(format!("crates/{name}/src"));
    }
    let mut modules: Vec<Module> = roots.iter().flat_map(|root| read_crate(root)).collect();
    modules.sort_by(|one, two| one.file.cmp(&two.file));
    modules
}

fn read_crate(source: &str) -> Vec<Module> {
    let mut modules = Vec::new();
    let mut left = vec![(format!("{source}/lib.rs"), Vec::new())];
    while let Some((file, at)) = left.pop() {
        let reader = Reader::read(source, &file, at);
        for child in &reader.children {
            let name = child.join("/");
            let candidates = [
                format!("{source}/{name}.rs"),
                format!("{source}/{name}/mod.rs"),
            ];
            let found = candidates.iter().find(|path| root().join(path).is_file());
            let found =
                found.unwrap_or_else(|| panic!("{file} declares {name}, which has no file"));
            left.push((found.clone(), child.clone()));
        }
        modules.push(reader.module);
    }
    modules
}

struct Reader {
    module: Module,
    /// The path of the module whose code is being read.
    at: Vec<String>,
    /// Child modules in files of their own.
    children: Vec<Vec<String>>,
}

impl Reader {
    fn read(source: &str, file: &str, at: Vec<String>) -> Self {
        let parsed = syn::parse_file(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut reader = Self {
            module: Module {
                file: file.to_owned(),
                root: source.to_owned(),
                at: at.clone(),
                ..Module::default()
            },
            at,
            children: Vec::new(),
        };
        reader.visit_file(&parsed);
        reader
    }

    fn name(&mut self, segments: &[String]) -> Option<Vec<String>> {
        let mut segments = segments.iter().cloned().peekable();
        let mut path = Vec::new();
        match segments.peek().map(String::as_str) {
            Some("self" | "super") => {
                path.push("crate".to_owned());
                path.extend(self.at.iter().cloned());
                while let Some(first) = segments.next_if(|one| one == "self" || one == "super") {
                    // `super` of the root does not compile.
                    if first == "super" && path.len() > 1 {
                        path.pop();
                    }
                }
            }
            Some(_) => {}
            None => return None,
        }
        path.extend(segments);
        self.module.paths.insert(path.clone());
        Some(path)
    }

    fn import(&mut self, segments: &[String], name: &syn::Ident, is_reexported: bool) {
        let Some(path) = self.name(segments) else {
            return;
        };
        if is_reexported {
            self.module.reexports.insert(path.clone());
        }
        self.module.imports.insert(name.to_string(), path);
    }

    fn tree(&mut self, before: &[String], tree: &UseTree, is_reexported: bool) {
        let with = |ident: &syn::Ident| {
            let mut path = before.to_vec();
            // `use module::{self}` names the module.
            if ident != "self" || before.is_empty() {
                path.push(ident.to_string());
            }
            path
        };
        match tree {
            UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, is_reexported),
            UseTree::Name(name) => self.import(&with(&name.ident), &name.ident, is_reexported),
            UseTree::Rename(rename) => {
                self.import(&with(&rename.ident), &rename.rename, is_reexported);
            }
            UseTree::Glob(_) => drop(self.name(before)),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(before, tree, is_reexported);
                }
            }
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
        let is_reexported = !matches!(item.vis, Visibility::Inherited);
        self.tree(&[], &item.tree, is_reexported);
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

    /// `pub(super)` names a module without using it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

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
        // The arguments of a macro have no known grammar, so their words are searched.
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
