"""Names, companies and places in many scripts, each with the Latin form that e-mail addresses use. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Culture:
    """Names that go together. Each name is (as written, as in an e-mail address)."""

    weight: int
    first: tuple[tuple[str, str], ...]
    last: tuple[tuple[str, str], ...]
    companies: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]


def _plain(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name.lower().replace(" ", "").replace("'", "")) for name in text.split(","))


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((a, b) for a, _, b in (part.partition("=") for part in text.split(",")))


CULTURES = (
    Culture(
        34,
        _plain(
            "Emma,Oliver,Amelia,Jack,Grace,Henry,Sophie,Daniel,Hannah,Samuel,Alice,George,Ruth,Martin,Clara,Thomas,"
            "Laura,Peter,Nora,Victor,Julia,Simon,Helen,Adam,Rachel,Marcus,Diana,Oscar,Irene,Felix"
        ),
        _plain(
            "Carter,Bennett,Hughes,Morgan,O'Neill,Fletcher,Wright,Palmer,Sullivan,Grant,Hayes,Porter,Watson,Ellis,"
            "Marsh,Doyle,Reid,Holland,Barnes,Foster,Lambert,Spencer,Walsh,Norton,Quinn,Abbott,Kemp,Rowe,Vaughan"
        ),
        _plain(
            "Northwind Trading,Hollow Oak,Fernhill Labs,Bluegate Logistics,Copperline,Harrow & Finch,Tidewater,"
            "Granite Peak,Lanternworks,Millbrook Health"
        ),
        (("London", "United Kingdom"), ("Boston", "United States"), ("Dublin", "Ireland"), ("Toronto", "Canada")),
    ),
    Culture(
        26,
        _pairs(
            "Jürgen=juergen,Zoë=zoe,Øyvind=oyvind,Łukasz=lukasz,Renée=renee,José=jose,Søren=soren,Čeněk=cenek,"
            "Ágnes=agnes,Çağla=cagla,Beyoncé=beyonce,Þóra=thora,İbrahim=ibrahim,Željka=zeljka,François=francois,"
            "Åsa=asa,Núria=nuria,Ștefan=stefan"
        ),
        _pairs(
            "Müller=mueller,Grüneberg=grueneberg,Strauß=strauss,Nuñez=nunez,Dvořák=dvorak,Wałęsa=walesa,"
            "Østergård=ostergard,García Márquez=garciamarquez,Lefèvre=lefevre,Öztürk=ozturk,Kovács=kovacs,"
            "Björnsdóttir=bjornsdottir,Şahin=sahin,Gonçalves=goncalves,Žižek=zizek,Țepeș=tepes,Ångström=angstrom"
        ),
        _pairs(
            "Bücher & Söhne=buecher,Café Ñandú=cafe-nandu,Škoda Služby=skoda-sluzby,Münchner Gießerei=giesserei,"
            "Crème Brûlée SARL=creme,Łódzkie Młyny=mlyny,Smørrebrød ApS=smor"
        ),
        (
            ("München", "Germany"),
            ("Kraków", "Poland"),
            ("Málaga", "Spain"),
            ("Århus", "Denmark"),
            ("Besançon", "France"),
            ("İzmir", "Türkiye"),
        ),
    ),
    Culture(
        7,
        _pairs("Ελένη=eleni,Γιώργος=giorgos,Αλεξάνδρα=alexandra,Νίκος=nikos,Μαρία=maria,Οδυσσέας=odysseas"),
        _pairs("Παπαδόπουλος=papadopoulos,Καραγιάννη=karagianni,Οικονόμου=oikonomou,Βασιλείου=vasileiou,Ζέρβας=zervas"),
        _pairs("Αιγαίο Ναυτιλιακή=aigaio,Ελιά & Υιοί=elia"),
        (("Αθήνα", "Greece"), ("Θεσσαλονίκη", "Greece")),
    ),
    Culture(
        9,
        _pairs("Дмитрий=dmitry,Ольга=olga,Наталья=natalya,Андрій=andriy,Світлана=svitlana,Борис=boris,Ёлка=yolka"),
        _pairs("Иванова=ivanova,Шевченко=shevchenko,Щербаков=shcherbakov,Ковальчук=kovalchuk,Ђорђевић=djordjevic"),
        _pairs("Ромашка=romashka,Київ Логістика=kyiv-logistyka"),
        (("Київ", "Ukraine"), ("Београд", "Serbia"), ("София", "Bulgaria")),
    ),
    Culture(
        7,
        _pairs("Thị Hương=huong,Văn Đức=duc,Ngọc Ánh=anh,Quốc Bảo=bao,Thùy Dương=duong"),
        _pairs("Nguyễn=nguyen,Trần=tran,Phạm=pham,Đặng=dang,Huỳnh=huynh"),
        _pairs("Công ty Sông Hồng=songhong,Phở Việt=phoviet"),
        (("Hà Nội", "Vietnam"), ("Đà Nẵng", "Vietnam")),
    ),
    Culture(
        7,
        _pairs("伟=wei,芳=fang,秀英=xiuying,强=qiang,丽=li,𠮷明=jiming"),
        _pairs("王=wang,李=li,张=zhang,欧阳=ouyang,陈=chen"),
        _pairs("长江科技有限公司=changjiang,东方贸易=dongfang"),
        (("上海", "China"), ("深圳", "China")),
    ),
    Culture(
        5,
        _pairs("陽子=yoko,健太=kenta,さくら=sakura,ジョン=jon,翔=sho"),
        _pairs("田中=tanaka,髙橋=takahashi,渡邉=watanabe,小鳥遊=takanashi"),
        _pairs("株式会社さくら=sakura-kk,富士製作所=fuji-works"),
        (("東京", "Japan"), ("京都", "Japan")),
    ),
    Culture(
        3,
        _pairs("محمد=mohammed,فاطمة=fatima,ليلى=layla,يوسف=youssef"),
        _pairs("الخطيب=alkhatib,حسن=hassan,النجار=alnajjar"),
        _pairs("شركة النخيل=nakheel"),
        (("القاهرة", "Egypt"), ("عمّان", "Jordan")),
    ),
    Culture(
        2,
        _pairs("דוד=david,שרה=sarah,נועה=noa"),
        _pairs("כהן=cohen,לוי=levi,בן־דוד=bendavid"),
        _pairs("גלים בע״מ=galim"),
        (("תל אביב", "Israel"), ("חיפה", "Israel")),
    ),
)

TITLES = (
    "Marketing Manager",
    "Head of Operations",
    "Account Executive",
    "CTO",
    "Office Manager",
    "Consultant",
    "Geschäftsführerin",
    "Purchasing Lead",
    "Analyst",
    None,
)
SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
INDUSTRIES = ("Technology", "Manufacturing", "Healthcare", "Education", "Retail", "Other")
DOMAIN_ENDS = ("example.com", "example.org", "example.net")
