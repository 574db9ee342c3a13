//! The `mfatrace` program.

fn main() -> std::process::ExitCode {
    mfatrace::cli::run()
}
