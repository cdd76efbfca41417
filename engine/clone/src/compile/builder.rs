//! A plan that is being built: data first, then threads' stacks, operations behind. What operations write is data.

use offshoot_plan::{Header, Op, PLAN_BASE, PLAN_MAX_BYTES, Span, THREAD_STACK_BYTES, Thread, fd};

use super::CompileError;

/// Room for the header at the beginning.
const HEADER_BYTES: usize = 4096;

/// A file that a plan's operations name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanFile {
    /// An image: 0 is the one that is cloned, 1 its parent.
    Image(u8),
    /// One of the manifest's files, for reading.
    Named(u32),
    /// One of the manifest's files, also for writing.
    Writable(u32),
}

/// A plan that is being built.
#[derive(Debug)]
pub(super) struct Builder {
    data: Vec<u8>,
    pub(super) template: Vec<Op>,
    pub(super) memory: Vec<Op>,
    pub(super) clone: Vec<Op>,
    pub(super) prefault: Vec<Op>,
    pub(super) watch: Vec<Op>,
    pub(super) settle: Vec<Op>,
    pub(super) resume: Vec<Op>,
    pub(super) threads: Vec<(Thread, Vec<Op>)>,
    files: Vec<PlanFile>,
    fd_base: u32,
    kept_files: u32,
}

impl Builder {
    /// A builder for a program whose descriptors are all below `fd_base`. The first `kept_files` images stay open in
    /// the template, because its clones read them.
    pub(super) fn new(fd_base: u32, kept_files: u8) -> Self {
        Self {
            data: vec![0; HEADER_BYTES],
            template: Vec::new(),
            memory: Vec::new(),
            clone: Vec::new(),
            prefault: Vec::new(),
            watch: Vec::new(),
            settle: Vec::new(),
            resume: Vec::new(),
            threads: Vec::new(),
            files: (0..kept_files).map(PlanFile::Image).collect(),
            fd_base,
            kept_files: kept_files.into(),
        }
    }

    pub(super) fn fd_base(&self) -> u32 {
        self.fd_base
    }

    pub(super) fn kept_files(&self) -> u32 {
        self.kept_files
    }

    /// Puts bytes into the plan; their address.
    pub(super) fn put(&mut self, bytes: &[u8], align: usize) -> u64 {
        let start = self.data.len().next_multiple_of(align);
        self.data.resize(start, 0);
        self.data.extend_from_slice(bytes);
        PLAN_BASE + start as u64
    }

    /// Puts numbers into the plan.
    pub(super) fn put_words(&mut self, words: &[u64]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.put(&bytes, 8)
    }

    /// Puts a path into the plan, with its zero.
    pub(super) fn put_path(&mut self, path: &[u8]) -> u64 {
        let mut bytes = path.to_vec();
        bytes.push(0);
        self.put(&bytes, 1)
    }

    /// The descriptor by which operations name a file.
    pub(super) fn file(&mut self, file: PlanFile) -> u64 {
        let index = match self.files.iter().position(|known| *known == file) {
            Some(index) => index,
            None => {
                self.files.push(file);
                self.files.len() - 1
            }
        };
        u64::from(self.fd_base + fd::FILES) + index as u64
    }

    /// Address and length of the stack of each thread that is made.
    pub(super) fn thread_stacks(&self) -> impl Iterator<Item = (u64, u64)> {
        let bytes = THREAD_STACK_BYTES;
        self.threads
            .iter()
            .map(move |(thread, _)| (thread.stack_end - bytes, bytes))
    }

    /// Gives each thread its stack. Nothing that operations write is put into the plan from now on.
    pub(super) fn put_stacks(&mut self) {
        const BYTES: usize = THREAD_STACK_BYTES as usize;
        for index in 0..self.threads.len() {
            let stack = self.put(&[0; BYTES], BYTES);
            self.threads[index].0.stack_end = stack + THREAD_STACK_BYTES;
        }
    }

    /// The plan's bytes, and the files that it names. `header` has everything but the parts' places.
    pub(super) fn finish(
        mut self,
        mut header: Header,
    ) -> Result<(Vec<u8>, Vec<PlanFile>), CompileError> {
        header.template = self.put_ops_of(|builder| std::mem::take(&mut builder.template));
        header.memory = self.put_ops_of(|builder| std::mem::take(&mut builder.memory));
        header.clone = self.put_ops_of(|builder| std::mem::take(&mut builder.clone));
        header.prefault = self.put_ops_of(|builder| std::mem::take(&mut builder.prefault));
        header.watch = self.put_ops_of(|builder| std::mem::take(&mut builder.watch));
        header.settle = self.put_ops_of(|builder| std::mem::take(&mut builder.settle));
        header.resume = self.put_ops_of(|builder| std::mem::take(&mut builder.resume));
        let threads = std::mem::take(&mut self.threads);
        let mut table = Vec::with_capacity(threads.len());
        for (mut thread, ops) in threads {
            thread.ops = self.put_ops_of(|_| ops);
            table.push(thread);
        }
        let bytes: Vec<u8> = table.iter().flat_map(encode::thread).collect();
        header.threads = Span {
            offset: self.put(&bytes, 8) - PLAN_BASE,
            count: table.len() as u64,
        };
        header.magic = offshoot_plan::MAGIC;
        header.version = offshoot_plan::VERSION;
        header.fd_base = self.fd_base;
        header.kept_files = self.kept_files;
        header.file_count = self.files.len() as u32;
        header.bytes = self.data.len() as u64;
        if self.data.len() as u64 > PLAN_MAX_BYTES
            || self.files.len() > offshoot_plan::MAX_FILES as usize
        {
            return Err(CompileError::TooLarge {
                plan_bytes: self.data.len(),
                files: self.files.len(),
            });
        }
        let head = encode::header(&header);
        self.data[..head.len()].copy_from_slice(&head);
        Ok((self.data, self.files))
    }

    fn put_ops_of(&mut self, take: impl FnOnce(&mut Self) -> Vec<Op>) -> Span {
        let ops = take(self);
        let bytes: Vec<u8> = ops.iter().flat_map(encode::op).collect();
        Span {
            offset: self.put(&bytes, 8) - PLAN_BASE,
            count: ops.len() as u64,
        }
    }
}

/// The plan's structures as bytes: `repr(C)`, little-endian, padding zero.
mod encode {
    use offshoot_plan::{Header, Op, Rseq, Span, Thread};

    pub(super) fn op(op: &Op) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_of::<Op>());
        bytes.extend(op.number.to_le_bytes());
        bytes.extend([op.check, op.loads]);
        bytes.extend(op.close_on_exec.to_le_bytes());
        for word in op.args.into_iter().chain([op.expected, op.store]) {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn thread(thread: &Thread) -> Vec<u8> {
        let ops = [thread.ops.offset, thread.ops.count];
        let words = [thread.child_tid, thread.tls, thread.stack_end];
        let words = words.into_iter().chain(ops).chain([thread.frame]);
        words
            .chain(rseq(&thread.rseq))
            .flat_map(u64::to_le_bytes)
            .collect()
    }

    fn rseq(rseq: &Rseq) -> [u64; 2] {
        let bytes_and_signature = u64::from(rseq.bytes) | u64::from(rseq.signature) << 32;
        [rseq.address, bytes_and_signature]
    }

    pub(super) fn header(header: &Header) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size_of::<Header>());
        bytes.extend(header.magic.to_le_bytes());
        bytes.extend(header.version.to_le_bytes());
        bytes.extend(header.fd_base.to_le_bytes());
        bytes.extend(header.bytes.to_le_bytes());
        for special in &header.specials {
            for word in [special.below_vdso, special.bytes, special.target] {
                bytes.extend(word.to_le_bytes());
            }
        }
        for number in [
            header.special_count,
            header.file_count,
            header.kept_files,
            header.awaits_threads,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        let spans = [
            header.template,
            header.memory,
            header.clone,
            header.prefault,
            header.watch,
            header.settle,
            header.resume,
            header.threads,
            header.pinned,
            header.touched,
        ];
        for Span { offset, count } in spans {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        bytes.extend(header.pid.to_le_bytes());
        bytes.extend(header.main_child_tid.to_le_bytes());
        bytes.extend(header.main_frame.to_le_bytes());
        bytes.extend(
            rseq(&header.main_rseq)
                .into_iter()
                .flat_map(u64::to_le_bytes),
        );
        let who = &header.credentials;
        let numbers = [who.apply].into_iter().chain(who.users).chain(who.groups);
        let numbers = numbers.chain([who.supplementary_count, who.securebits, who.padding]);
        bytes.extend(numbers.flat_map(u32::to_le_bytes));
        bytes.extend(who.supplementary.to_le_bytes());
        bytes.extend(who.capabilities.into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(header.clocks_ns.into_iter().flat_map(u64::to_le_bytes));
        let traps = &header.traps;
        let confinement = &header.confinement;
        let of_traps = [traps.filter, traps.ranges, traps.probes, traps.state];
        let of_sandbox = [
            confinement.inherited,
            confinement.last,
            confinement.limits,
            confinement.beneath,
        ];
        for Span { offset, count } in of_traps.into_iter().chain(of_sandbox) {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(count.to_le_bytes());
        }
        bytes.extend(confinement.handled.to_le_bytes());
        bytes.extend(confinement.restrict_flags.to_le_bytes());
        bytes
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn encoded_lengths_are_those_of_the_structures() {
            assert_eq!(op(&Op::default()).len(), size_of::<Op>());
            assert_eq!(thread(&Thread::default()).len(), size_of::<Thread>());
            assert_eq!(header(&Header::default()).len(), size_of::<Header>());
        }
    }
}
