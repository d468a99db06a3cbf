from dashboard.pages import Page

page = Page(title="Symbol", path="/symbol", key="s", order=20, deep=True)
