"""Names, streets and cities that the seeded customers are made of."""

from typing import NamedTuple


class City(NamedTuple):
    """A place to deliver to; `postal_codes` is a pattern in which # stands for any digit."""

    name: str
    postal_codes: str
    country: str
    currency: str
    streets: tuple[str, ...]


_FIRST_NAMES = """
Adaeze Ahmet Aino Alice Amir Ana Andrzej Anton Aoife Beatriz Camille Carlos Chiara Clara Dariusz
David Elena Emil Emma Fatima Femi Filipa Freya Giulia Hanna Henrik Hugo Ingrid Ivana Jakub Joana
Jonas Julien Katarzyna Kwame Lars Leila Lena Lotte Louis Luca Magda Manon Marek Maria Matteo
Mehmet Mia Nadia Niamh Noor Olga Oskar Pablo Petra Priya Rafael Rosa Sanne Sofia Sven Tariq
Thomas Tiago Ulla Yusuf Zofia
"""
FIRST_NAMES = _FIRST_NAMES.split()

_LAST_NAMES = """
Adeyemi Almeida Andersson Bakker Bauer Becker Bernard Bianchi Brandt Carvalho Conti Costa Demir
Dubois Eriksson Fernandes Fischer Fontaine Garcia Haddad Hansen Hoffmann Jansen Johansson Kaya
Keller Kowalski Lambert Larsen Lindqvist Lopes Martin Mensah Meyer Moreau Murphy Nowak Okafor
Olsen Patel Pereira Ricci Rossi Rousseau Santos Schmidt Silva Smith Virtanen Wagner Walsh Weber
Wieczorek Yilmaz Zimmermann
"""
LAST_NAMES = _LAST_NAMES.split()

CITIES = (
    City("Berlin", "10###", "DE", "EUR", ("Oranienstrasse", "Kastanienallee", "Weserstrasse")),
    City("Hamburg", "20###", "DE", "EUR", ("Osterstrasse", "Lange Reihe", "Am Sandtorkai")),
    City("Vienna", "1##0", "AT", "EUR", ("Neubaugasse", "Praterstrasse")),
    City("Lyon", "6900#", "FR", "EUR", ("Rue de la Charité", "Cours Gambetta")),
    City("Nantes", "44#00", "FR", "EUR", ("Rue Crébillon", "Quai de la Fosse")),
    City("Porto", "4###-###", "PT", "EUR", ("Rua das Flores", "Rua de Cedofeita")),
    City("Lisbon", "1###-###", "PT", "EUR", ("Rua do Norte", "Avenida da Liberdade")),
    City("Utrecht", "35## AB", "NL", "EUR", ("Oudegracht", "Biltstraat")),
    City("Milan", "201##", "IT", "EUR", ("Via Torino", "Corso Buenos Aires")),
    City("Dublin", "D0# X#Y#", "IE", "EUR", ("Camden Street", "Clanbrassil Street")),
    City("Zurich", "80##", "CH", "CHF", ("Langstrasse", "Seefeldstrasse")),
    City("Leeds", "LS# #AB", "GB", "GBP", ("Otley Road", "Kirkgate")),
    City("Stockholm", "11# ##", "SE", "SEK", ("Götgatan", "Hornsgatan")),
    City("Kraków", "31-###", "PL", "PLN", ("ulica Długa", "ulica Starowiślna")),
    City("Portland", "972##", "US", "USD", ("Alberta Street", "Division Street")),
)
