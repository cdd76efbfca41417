// Maps, vectors and strings, grown and shrunk before, are right and can be churned on.
include!("../fidelity.rs");
use std::collections::{BTreeMap, HashMap, VecDeque};

fn main() {
    let mut words: HashMap<String, Vec<u64>> = HashMap::new();
    let mut ordered = BTreeMap::new();
    let mut queue = VecDeque::new();
    for i in 0..50_000_u64 {
        words.entry(format!("word {}", i % 5000)).or_default().push(i);
        ordered.insert(i * 7919 % 50_021, i);
        queue.push_back(i);
        if i % 3 == 0 {
            queue.pop_front();
        }
    }
    words.retain(|_, numbers| numbers[0] % 2 == 0);
    wait_for_clone();
    if sabotaged() {
        words.remove("word 10");
    }
    same(words.len(), 2500);
    for (word, numbers) in &words {
        let first: u64 = word[5..].parse().unwrap();
        same(numbers.clone(), (0..10).map(|i| first + i * 5000).collect());
    }
    same(ordered.iter().all(|(key, i)| i * 7919 % 50_021 == *key), true);
    same(queue.iter().zip(queue.iter().skip(1)).all(|(a, b)| a + 1 == *b), true);
    for i in 0..20_000 {
        words.insert(format!("new {i}"), vec![i]);
    }
    same(words.len(), 22_500);
    pass();
}
