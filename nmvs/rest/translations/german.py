"""Display texts of the REST dialect in German (see `nmvs.rest.texts`); the wording is ours."""

from __future__ import annotations

from typing import Final

GERMAN: Final[dict[str, str]] = {
    "11110100": "Die Packung ist aktiv.",
    "12200000": "Die Ergebnisse liegen vor.",
    "13200000": "Die Ergebnisse liegen vor.",
    "15100000": "Die Berichte sind aufgelistet.",
    "22100000": "Die Packungen wurden zur Verarbeitung angenommen.",
    "23100000": "Die Packungen wurden zur Verarbeitung angenommen.",
    "11410100": "Die Packung wurde reaktiviert.",
    "30020000": "Der Zugriff ist nicht erlaubt.",
    "30020001": "Die Betriebsstätte hat diesem Konnektor nicht erlaubt, für sie zu handeln.",
    "40020000": "Unter dieser Adresse gibt es nichts.",
    "41020000": "Unbekannter Produktcode.",
    "41020001": "Unbekannte Seriennummer.",
    "41020002": "Unbekannte Charge und Seriennummer.",
    "41020003": "Die Seriennummer gehört zu einer anderen Charge.",
    "41020004": "Die Packung unterliegt nicht der Überprüfung.",
    "41020005": "Das Verfalldatum weicht vom hinterlegten ab.",
    "41020006": "Die Charge ist von der Überprüfung ausgenommen.",
    "41020007": (
        "Die Seriennummer gehört zu einer anderen Charge. Die gelesene Charge "
        "ist zu lang oder zu kurz."
    ),
    "41020008": (
        "Die Seriennummer gehört zu einer anderen Charge. Die gelesene Charge "
        "hat ungewöhnliche Zeichen."
    ),
    "41020009": (
        "Die Seriennummer gehört zu einer anderen Charge. Die gelesene Charge wirkt verstümmelt."
    ),
    "41020010": "Unbekannte Seriennummer. Sie ist länger oder kürzer als die ihrer Charge.",
    "41020011": "Unbekannte Seriennummer. Sie hat Zeichen, die es in ihrer Charge nicht gibt.",
    "41020012": "Unbekannte Seriennummer. In Länge und Zeichen weicht sie von ihrer Charge ab.",
    "42220000": "Unter dieser Adresse gibt es keine Ergebnisse.",
    "43220000": "Unter dieser Adresse gibt es keine Ergebnisse.",
    "51420001": "Nur die Betriebsstätte, die die Packung ausgebucht hat, darf sie reaktivieren.",
    "51420002": "Die Frist zum Reaktivieren der Packung ist abgelaufen.",
    "51420100": "Die Packung ist bereits aktiv.",
    "51420101": "Die Packung ist bereits aktiv.",
    "51420200": "Die Packung wurde vor zu langer Zeit abgegeben, um reaktiviert zu werden.",
    "51420201": (
        "Die Packung wurde von einer anderen Betriebsstätte abgegeben, die "
        "allein sie reaktivieren darf."
    ),
    "51420501": "Die Packung wurde vor zu langer Zeit exportiert, um reaktiviert zu werden.",
    "51420601": (
        "Die Packung wurde vor zu langer Zeit als Probe entnommen, um reaktiviert zu werden."
    ),
    "51420801": (
        "Die Packung wurde vor zu langer Zeit als Gratismuster abgegeben, um reaktiviert zu werden."
    ),
    "52120000": "Die Packungen können nicht verarbeitet werden.",
    "52210000": "Die Ergebnisse liegen noch nicht vor.",
    "53210000": "Die Ergebnisse liegen noch nicht vor.",
    "60020000": "Die Anfrage ist ungültig.",
    "60020001": "Ein Konnektor muss die Betriebsstätte nennen, für die er handelt.",
    "60020002": "Die Betriebsstätte, die der Konnektor nennt, ist unbekannt.",
    "61020000": "Eine Chargenbezeichnung ist erforderlich.",
    "61020001": "Ein Produktcode ist erforderlich.",
    "61020002": "Ein Schema des Produktcodes ist erforderlich.",
    "61020003": "Eine Seriennummer ist erforderlich.",
    "61020004": "Ein Verfalldatum ist erforderlich.",
    "61020005": "Ein gewünschter Zustand ist erforderlich.",
    "61020006": "Die Chargenbezeichnung ist ungültig.",
    "61020007": "Das Verfalldatum ist ungültig.",
    "61020008": "Der Produktcode ist ungültig.",
    "61020009": "Das Schema des Produktcodes ist ungültig.",
    "61020010": "Der gewünschte Zustand ist ungültig.",
    "61020011": "Die Seriennummer ist ungültig.",
    "61020012": "Der Header für die Art der Dateneingabe ist erforderlich.",
    "61020013": "Der Header für die Art der Dateneingabe ist ungültig.",
    "61020015": "Der Inhalt der Anfrage ist ungültig.",
    "62120000": "Eine Seriennummer kommt mehrfach vor. Es wurde ein Alarm ausgelöst.",
    "62120001": "Die Zahl der Packungen weicht von der angegebenen ab.",
    "62120002": "Die Liste der Packungen fehlt oder ist ungültig.",
    "62120003": "Die Anfrage enthält zu viele Packungen.",
    "63120001": "Die Zahl der Packungen weicht von der angegebenen ab.",
    "63120002": "Die Liste der Packungen fehlt oder ist ungültig.",
    "63120003": "Die Anfrage enthält zu viele Packungen.",
    "70020000": "Zu viele Anfragen. Versuchen Sie es später erneut.",
    "B0020000": "Das System ist nicht verfügbar. Versuchen Sie es später erneut.",
    "B1020000": (
        "Das System, das die Packung führt, kann jetzt nicht antworten. Prüfen "
        "Sie vor einem neuen Versuch."
    ),
    "1121": "Die Packung wurde abgegeben.",
    "1122": "Diese Betriebsstätte hat die Packung bereits abgegeben.",
    "1132": "Diese Betriebsstätte hat die Packung bereits ausgebucht.",
    "1141": "Die Packung wurde reaktiviert.",
    "5122": "Die Packung kann nicht abgegeben werden.",
    "5132": "Die Packung kann nicht ausgebucht werden.",
    "5142": "Die Packung kann nicht reaktiviert werden.",
    "state 02": "Sie wurde abgegeben.",
    "state 03": "Sie wurde vernichtet.",
    "state 04": "Sie ist gesperrt.",
    "state 05": "Sie wurde exportiert.",
    "state 06": "Sie wurde als Probe entnommen.",
    "state 07": "Sie wurde als gestohlen gemeldet.",
    "state 08": "Sie wurde als Gratismuster abgegeben.",
    "state 09": "Sie wurde ausgecheckt.",
    "state 10": "Die Charge wurde zurückgerufen.",
    "state 11": "Die Packung ist verfallen.",
    "state 12": "Das Produkt wurde vom Markt genommen.",
    "pack 02": "Die Packung wurde abgegeben.",
    "pack 03": "Die Packung wurde vernichtet.",
    "pack 04": "Die Packung ist gesperrt.",
    "pack 05": "Die Packung wurde exportiert.",
    "pack 06": "Die Packung wurde als Probe entnommen.",
    "pack 07": "Die Packung wurde als gestohlen gemeldet.",
    "pack 08": "Die Packung wurde als Gratismuster abgegeben.",
    "pack 09": "Die Packung wurde ausgecheckt.",
    "pack 10": "Die Charge wurde zurückgerufen.",
    "pack 11": "Die Packung ist verfallen.",
    "pack 12": "Das Produkt wurde vom Markt genommen.",
}
