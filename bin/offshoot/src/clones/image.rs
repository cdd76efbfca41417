//! `offshoot image`.

use clap::{Args, Subcommand};
use offshoot_image::model::Manifest;
use offshoot_image::{Summary, difference};
use offshoot_pool::{Pool, RemoveError};
use serde::Serialize;

use super::place::{self, PlaceArgs};
use crate::cli::Context;
use crate::console::bytes_for_people;
use crate::report::{Failure, Kind};

/// What to do with images.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(subcommand)]
    command: ImageCommand,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Subcommand)]
enum ImageCommand {
    /// List the images of the pool
    #[command(visible_alias = "ls")]
    List,
    /// Show what an image holds: memory, descriptors, threads
    Inspect {
        /// The image
        name: String,
    },
    /// Check every byte of an image, and of its parents
    Verify {
        /// The image
        name: String,
    },
    /// Show how two images differ
    Diff {
        /// The one
        before: String,
        /// The other
        after: String,
    },
    /// Remove images
    Rm {
        /// The images
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Runs the command.
pub fn run(args: &ImageArgs, context: &Context) -> Result<(), Failure> {
    let pool = args.place.open()?;
    match &args.command {
        ImageCommand::List => list(&pool, context),
        ImageCommand::Inspect { name } => inspect(&pool, name, context),
        ImageCommand::Verify { name } => verify(&pool, name, context),
        ImageCommand::Diff { before, after } => diff(&pool, before, after, context),
        ImageCommand::Rm { names } => names.iter().try_for_each(|name| remove(&pool, name)),
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    id: Option<String>,
    parent: Option<String>,
    stored_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

fn list(pool: &Pool, context: &Context) -> Result<(), Failure> {
    let images = pool
        .list()
        .map_err(|error| Failure::from_error(Kind::Failed, &error))?;
    let rows: Vec<Listed> = images
        .into_iter()
        .map(|image| Listed {
            name: image.name.to_string(),
            id: image
                .header
                .as_ref()
                .ok()
                .map(|header| header.id.to_string()),
            parent: image
                .header
                .as_ref()
                .ok()
                .and_then(|header| Some(header.parent?.to_string())),
            stored_bytes: image.stored_bytes,
            refused: image.header.err().map(|error| error.to_string()),
        })
        .collect();
    let console = &context.console;
    if console.wants_json() {
        return Ok(console.json(&rows)?);
    }
    let short = |id: Option<&String>| id.map_or(String::new(), |id| id.chars().take(12).collect());
    let cells = rows.iter().map(|row| {
        vec![
            row.name.clone(),
            short(row.id.as_ref()),
            short(row.parent.as_ref()),
            bytes_for_people(row.stored_bytes),
            row.refused.clone().unwrap_or_default(),
        ]
    });
    Ok(console.table(&["name", "id", "parent", "size", ""], cells.collect())?)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Inspected<'m> {
    id: String,
    summary: Summary,
    manifest: &'m Manifest,
}

fn inspect(pool: &Pool, name: &str, context: &Context) -> Result<(), Failure> {
    let lineage = pool
        .open_lineage(&place::name(name)?)
        .map_err(|error| place::unopened(&error))?;
    let manifest = &lineage.manifest;
    let summary = Summary::of(manifest);
    let console = &context.console;
    if console.wants_json() {
        let id = lineage.image.id().to_string();
        return Ok(console.json(&Inspected {
            id,
            summary,
            manifest,
        })?);
    }
    console.line(&format!(
        "{name}: {}, {} threads, {} descriptors ({} from outside), {} mappings of {}, {} stored, {} from parents\n",
        summary.executable,
        summary.threads,
        summary.descriptors,
        summary.substituted,
        summary.mappings,
        bytes_for_people(summary.mapped_bytes),
        bytes_for_people(summary.stored_bytes),
        bytes_for_people(summary.inherited_bytes),
    ))?;
    mappings(manifest, context)?;
    descriptors(manifest, context)?;
    let threads = manifest.threads.iter().map(|thread| {
        let registers = &thread.registers.0;
        vec![
            thread.tid.to_string(),
            String::from_utf8_lossy(&thread.name).into_owned(),
            format!("{:#x}", registers[offshoot_image::model::Registers::RIP]),
            format!("{:#x}", thread.signal_mask),
            thread.pending.len().to_string(),
        ]
    });
    Ok(console.table(
        &["thread", "name", "at", "blocked signals", "pending"],
        threads.collect(),
    )?)
}

fn mappings(manifest: &Manifest, context: &Context) -> Result<(), Failure> {
    use offshoot_image::model::{Backing, PAGE_BYTES};
    let cells = manifest.mappings.iter().map(|mapping| {
        let letter = |is: bool, letter: &str| {
            if is {
                letter.to_owned()
            } else {
                "-".to_owned()
            }
        };
        let bits = mapping.protection;
        let shared = if mapping.shared { "s" } else { "p" };
        let backing = match mapping.backing {
            Backing::Anonymous => String::new(),
            Backing::File { file, .. } => path_of(manifest, file),
            Backing::Content { content, .. } => format!("content {content}"),
        };
        let stored: u64 = mapping.runs.iter().map(|run| u64::from(run.pages)).sum();
        vec![
            format!("{:x}-{:x}", mapping.start, mapping.end),
            [
                letter(bits.read(), "r"),
                letter(bits.write(), "w"),
                letter(bits.exec(), "x"),
            ]
            .concat()
                + shared,
            bytes_for_people(mapping.end - mapping.start),
            bytes_for_people(stored * PAGE_BYTES),
            mapping.runs.len().to_string(),
            backing,
        ]
    });
    let header = ["mapping", "", "size", "in the image", "runs", "of"];
    Ok(context.console.table(&header, cells.collect())?)
}

fn descriptors(manifest: &Manifest, context: &Context) -> Result<(), Failure> {
    use offshoot_image::model::OpenFileKind;
    let cells = manifest.descriptors.iter().filter_map(|descriptor| {
        let open_file = manifest.open_files.get(descriptor.open_file as usize)?;
        let kind = match &open_file.kind {
            OpenFileKind::Path { file, position } => {
                format!("{} at {position}", path_of(manifest, *file))
            }
            OpenFileKind::Content { content, position } => {
                format!("content {content} at {position}")
            }
            OpenFileKind::Device { path } => String::from_utf8_lossy(path).into_owned(),
            OpenFileKind::Pipe { pipe, end } => format!("pipe {pipe}, {end:?} end"),
            OpenFileKind::Substituted { description } => {
                format!("from outside; it was {description}")
            }
            other => format!("{other:?}"),
        };
        Some(vec![descriptor.number.to_string(), kind])
    });
    Ok(context
        .console
        .table(&["descriptor", "leads to"], cells.collect())?)
}

fn path_of(manifest: &Manifest, file: u32) -> String {
    let file = manifest.files.get(file as usize);
    file.map_or_else(String::new, |file| {
        String::from_utf8_lossy(&file.path).into_owned()
    })
}

fn verify(pool: &Pool, name: &str, context: &Context) -> Result<(), Failure> {
    let lineage = pool
        .open_lineage(&place::name(name)?)
        .map_err(|error| place::unopened(&error))?;
    let mut pages_bytes = 0;
    for image in std::iter::once(&lineage.image).chain(&lineage.ancestors) {
        let verified = image.verify().map_err(|error| place::unopened(&error))?;
        pages_bytes += verified.page_bytes;
    }
    context.console.note(&format!(
        "{name} is whole: {}",
        bytes_for_people(pages_bytes)
    ));
    Ok(())
}

fn diff(pool: &Pool, before: &str, after: &str, context: &Context) -> Result<(), Failure> {
    let open = |name: &str| {
        let image = pool.open_lineage(&place::name(name)?);
        Ok::<_, Failure>(image.map_err(|error| place::unopened(&error))?.manifest)
    };
    Ok(context
        .console
        .json(&difference(&open(before)?, &open(after)?))?)
}

fn remove(pool: &Pool, name: &str) -> Result<(), Failure> {
    pool.remove(&place::name(name)?).map_err(|error| {
        let kind = match error {
            RemoveError::NotFound { .. } => Kind::NotFound,
            RemoveError::InUse { .. } => Kind::Conflict,
            _ => Kind::Failed,
        };
        Failure::from_error(kind, &error)
    })
}
