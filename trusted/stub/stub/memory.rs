//! What the compiler expects of libc, and what core mentions without ever using it here.

use core::arch::global_asm;

global_asm!(
    ".globl memcpy",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    ".globl memset",
    "memset:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    // Named by unwind tables, which are thrown away: with `panic=abort` nothing unwinds.
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    "ud2",
);
