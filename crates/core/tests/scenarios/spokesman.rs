//! Many ask, and one of them asks the fleet for all.

use std::rc::Rc;

use larder_core::fleet::{Consulted, Patience};

use crate::crowd::Crowd;
use crate::fleet::{FLEET, Saying};
use crate::stage::{get, reply};

#[test]
fn one_of_many_asks_the_fleet_and_the_others_wait_for_it() {
    let mut crowd = Crowd::new(FLEET, 2);
    let ports = crowd.join(&Rc::default());
    let first = crowd.ask(&get("/a"));
    crowd.answer(first, reply("a"));
    crowd.workers[0].evict_last();
    ports[0].asked();
    ports[1].says(&[Saying::Later]);
    let ids = crowd.ask_times(6, &get("/a"));
    assert_eq!(crowd.consulting(), [ids[0]]);
    crowd.told(ids[0], None);
    for id in &ids {
        assert_eq!(crowd.got(*id).unwrap().text(), "a");
    }
    let asked = ports.iter().map(|port| port.asked().len()).sum::<usize>();
    assert_eq!((asked, crowd.origin_requests()), (1, 1));
    crowd.assert_idle();
}

#[test]
fn who_leads_goes_on_to_the_origin_for_all() {
    let mut crowd = Crowd::new(FLEET, 2);
    let ports = crowd.join(&Rc::default());
    ports[0].says(&[Saying::Later]);
    let ids = crowd.ask_times(4, &get("/a"));
    crowd.told(ids[0], Some(Consulted::Absent));
    assert_eq!(crowd.leader(), ids[0]);
    crowd.answer(ids[0], reply("a"));
    for id in &ids {
        assert_eq!(crowd.got(*id).unwrap().text(), "a");
    }
    assert_eq!(crowd.origin_requests(), 1);
}

#[test]
fn who_goes_away_while_the_fleet_is_asked_lets_another_lead() {
    let mut crowd = Crowd::new(FLEET, 2);
    let ports = crowd.join(&Rc::default());
    ports[0].says(&[Saying::Later]);
    let ids = crowd.ask_times(3, &get("/a"));
    crowd.leave(ids[0]);
    assert_eq!(crowd.leader(), ids[1]);
    crowd.answer(ids[1], reply("a"));
    assert_eq!(crowd.got(ids[2]).unwrap().text(), "a");
    crowd.assert_idle();
}

#[test]
fn what_has_no_place_here_goes_to_each_who_asks_for_it() {
    let mut crowd = Crowd::new(FLEET, 2);
    let ports = crowd.join(&Rc::default());
    let first = crowd.ask(&get("/a"));
    crowd.answer(first, reply("a"));
    crowd.workers[0].evict_last();
    for port in &ports {
        port.has_room.set(false);
        port.asked();
    }
    ports[1].says(&[Saying::Later]);
    let ids = crowd.ask_times(12, &get("/a"));
    assert_eq!(crowd.consulting(), [ids[0]]);
    crowd.told(ids[0], None);
    for id in &ids {
        let seen = crowd.got(*id).unwrap();
        assert_eq!((seen.text(), seen.cache().0), ("a", "HIT"));
    }
    let asked = ports.iter().map(|port| port.asked().len()).sum::<usize>();
    assert_eq!((asked, crowd.origin_requests()), (12, 1));
    crowd.assert_idle();
}

#[test]
fn who_was_let_go_asks_the_fleet_and_waits_for_nobody_again() {
    let mut crowd = Crowd::new(FLEET, 1);
    let ports = crowd.join(&Rc::default());
    let ids = crowd.ask_times(2, &get("/a"));
    ports[0].asked();
    ports[0].says(&[Saying::AtOnce(Consulted::Held)]);
    crowd.head(ids[0], reply("mine").with("cache-control", "private"));
    assert_eq!(
        (crowd.at_origin(), ports[0].asked()),
        (vec![ids[1]], vec![Patience::Look])
    );
}
