"""The peer: the same steps as a plain pandas notebook does them, stage by stage.

Read, drop duplicates and rows without a customer, drop cancellations and bad prices, RFM, StandardScaler, K-Means for
k = 2…8 with its default tolerance and 10 starts, silhouette, stability (ten refits on bootstrap samples of each k), four
pictures. No netting, no audit, no names.

One thing is not as notebooks write it: beyond 20,000 customers the silhouette is that of 10,000 of them, because the
whole one compares every customer with every other and would take hours.

Usage: python benchmarks/notebook_pandas.py INPUT OUTPUT_FOLDER
"""

import sys
from pathlib import Path

from clock import Clock

SAMPLE_ABOVE, SAMPLE = 20_000, 10_000


def main(source: str, folder: str) -> None:
    clock = Clock("start")
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score
    from sklearn.preprocessing import StandardScaler

    clock.stage("read")
    lines = pd.read_parquet(source) if source.endswith(".parquet") else pd.read_csv(source)
    lines["InvoiceDate"] = pd.to_datetime(lines["InvoiceDate"])

    clock.stage("clean")
    lines = lines.drop_duplicates().dropna(subset=["CustomerID"])
    lines = lines[~lines["InvoiceNo"].astype(str).str.startswith("C")]
    lines = lines[(lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)]
    lines["Amount"] = lines["Quantity"] * lines["UnitPrice"]

    clock.stage("count per customer")
    today = lines["InvoiceDate"].max() + pd.Timedelta(days=1)
    people = lines.groupby("CustomerID").agg(
        recency=("InvoiceDate", lambda dates: (today - dates.max()).days),
        frequency=("InvoiceNo", "nunique"),
        monetary=("Amount", "sum"),
    )

    clock.stage("cluster")
    points = StandardScaler().fit_transform(people)
    sample = SAMPLE if len(points) > SAMPLE_ABOVE else None
    inertias, scores, ks = [], [], range(2, 9)
    models = {k: KMeans(k, n_init=10, random_state=42).fit(points) for k in ks}
    for model in models.values():
        inertias.append(model.inertia_)
        scores.append(silhouette_score(points, model.labels_, sample_size=sample, random_state=42))
    people["cluster"] = KMeans(4, n_init=10, random_state=42).fit_predict(points)

    clock.stage("stability")
    for k, model in models.items():
        for seed in range(10):
            again = people.sample(frac=1, replace=True, random_state=seed)
            scaled = StandardScaler().fit_transform(again[["recency", "frequency", "monetary"]])
            refit = KMeans(k, n_init=10, random_state=seed).fit(scaled)
            adjusted_rand_score(model.labels_, refit.predict(points))

    clock.stage("figures")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 3, figsize=(15, 5))
    for axis, name in zip(axes, ["recency", "frequency", "monetary"], strict=True):
        sns.histplot(people[name], kde=True, ax=axis)
    figure.savefig(out / "rfm.png")
    for name, values in {"elbow": inertias, "silhouette": scores}.items():
        figure, axis = plt.subplots()
        axis.plot(list(ks), values, marker="o")
        figure.savefig(out / f"{name}.png")
    figure, axis = plt.subplots()
    sns.scatterplot(people, x="frequency", y="monetary", hue="cluster", ax=axis)
    figure.savefig(out / "clusters.png")

    clock.stage("write")
    people.to_csv(out / "customers.csv")
    clock.tell(
        lines=len(lines),
        orders=int(people["frequency"].sum()),
        customers=len(people),
        revenue=round(float(people["monetary"].sum()), 4),
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
